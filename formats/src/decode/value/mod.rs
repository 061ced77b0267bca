//! Texts of values into the values of a type, exactly or not at all.

pub(super) mod boolean;
mod calendar;
pub(super) mod date;
pub(super) mod date_time;
pub(super) mod decimal;
pub(super) mod element;
pub(super) mod float;
pub(super) mod hex;
pub(super) mod integer;
pub(super) mod time;
pub(super) mod timestamp;
pub(super) mod uuid;
