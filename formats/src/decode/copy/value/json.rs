//! JSON documents.

use crate::decode::copy::{Failure, fields::Field};

/// The version in which jsonb is sent.
const JSONB: u8 = 1;

/// The documents' texts. Those of jsonb come after the number of a version, which no JSON can begin with.
pub(in crate::decode::copy) fn texts<'a>(fields: &[Field<'a>]) -> Result<Vec<Field<'a>>, Failure> {
    fields.iter().map(|field| field.map(text).transpose()).collect()
}

#[inline]
fn text(field: &[u8]) -> Result<&[u8], Failure> {
    match field {
        [JSONB, text @ ..] => Ok(text),
        [0..=8, ..] => Err(Failure::Broken("JSON in a form that is not known")),
        text => Ok(text),
    }
}
