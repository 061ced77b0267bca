//! Texts of values into the values of a type, exactly or not at all.

pub(super) mod calendar;
pub(super) mod list;
pub(super) mod number;
pub(super) mod scalar;
