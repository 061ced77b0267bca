//! Parsers of values. No value is rounded or truncated: a text that the type cannot hold exactly is an error.

pub(super) mod calendar;
pub(super) mod list;
pub(super) mod number;
pub(super) mod scalar;
