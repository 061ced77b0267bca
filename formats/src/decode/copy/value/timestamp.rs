//! Instants, and dates with a time on a clock without a zone.

use super::number;
use crate::decode::{copy::Failure, fault::Fault};

/// From 1970, where Arrow counts from, to 2000, where PostgreSQL does.
const EPOCH: i64 = 946_684_800_000_000;

/// Microseconds since 1970.
#[inline]
pub(in crate::decode::copy) fn read(field: &[u8]) -> Result<i64, Failure> {
    match number::read(field, i64::from_be_bytes)? {
        i64::MIN | i64::MAX => Err(Fault::Infinite.into()),
        micros => micros.checked_add(EPOCH).ok_or(Fault::TooFar.into()),
    }
}
