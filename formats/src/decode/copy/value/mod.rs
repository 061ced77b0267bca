//! Fields into the values of a type, exactly or not at all.

pub(super) mod boolean;
pub(super) mod date;
pub(super) mod json;
pub(super) mod number;
pub(super) mod numeric;
pub(super) mod time;
pub(super) mod timestamp;
pub(super) mod uuid;
