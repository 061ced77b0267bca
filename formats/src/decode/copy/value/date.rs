//! Dates.

use super::number;
use crate::decode::{copy::Failure, fault::Fault};

/// From 1970, where Arrow counts from, to 2000, where PostgreSQL does.
const EPOCH: i32 = 10_957;

/// Days since 1970.
#[inline]
pub(in crate::decode::copy) fn read(field: &[u8]) -> Result<i32, Failure> {
    match number::read(field, i32::from_be_bytes)? {
        i32::MIN | i32::MAX => Err(Fault::Infinite.into()),
        days => days.checked_add(EPOCH).ok_or(Fault::TooFar.into()),
    }
}
