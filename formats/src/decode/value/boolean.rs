//! Truth values.

use crate::decode::fault::Fault;

/// Reads the two words that JSON has for it.
pub(in crate::decode) const fn parse(text: &[u8]) -> Result<bool, Fault> {
    match text {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(Fault::Bool),
    }
}
