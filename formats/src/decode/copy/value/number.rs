//! Integers and floating-point numbers, which are sent as their bytes.

use crate::decode::copy::Failure;

/// What `from_bytes` makes of the field, which has the width of the type.
#[inline]
pub(in crate::decode::copy) fn read<const N: usize, T>(
    field: &[u8],
    from_bytes: impl Fn([u8; N]) -> T,
) -> Result<T, Failure> {
    let bytes = field.try_into().map_err(|_| Failure::Broken("a value that is not as wide as its type"))?;
    Ok(from_bytes(bytes))
}
