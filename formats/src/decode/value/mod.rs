//! Texts of values into the values of a type, exactly or not at all.

pub(super) mod boolean;
pub(super) mod decimal;
pub(super) mod integer;
pub(super) mod timestamp;
