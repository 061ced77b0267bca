//! Times of day.

use super::number;
use crate::decode::{copy::Failure, fault::Fault};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Microseconds since midnight. PostgreSQL has 24:00:00, which Parquet has not.
#[inline]
pub(in crate::decode::copy) fn read(field: &[u8]) -> Result<i64, Failure> {
    match number::read(field, i64::from_be_bytes)? {
        micros @ 0..MICROS_PER_DAY => Ok(micros),
        MICROS_PER_DAY => Err(Fault::EndOfDay.into()),
        _ => Err(Failure::Broken("a time that is not within a day")),
    }
}
