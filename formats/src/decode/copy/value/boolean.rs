//! Truth values.

use super::number;
use crate::decode::copy::Failure;

#[inline]
pub(in crate::decode::copy) fn read(field: &[u8]) -> Result<bool, Failure> {
    match number::read(field, u8::from_be_bytes)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::Broken("a truth value that is neither true nor false")),
    }
}
