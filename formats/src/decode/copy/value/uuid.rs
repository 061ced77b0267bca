//! UUIDs.

use super::number;
use crate::decode::copy::Failure;

#[inline]
pub(in crate::decode::copy) fn read(field: &[u8]) -> Result<[u8; 16], Failure> {
    number::read(field, |bytes| bytes)
}
