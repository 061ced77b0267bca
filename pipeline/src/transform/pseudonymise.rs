//! Pseudonyms: keyed digests. Without the key they reveal only whether two values are equal.

use archive_formats::{Column, encode::Texts};
use arrow_array::{Array, ArrayRef, builder::StringBuilder};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{fmt, io, sync::Arc};

/// The columns to pseudonymise.
#[derive(Clone, Debug)]
pub struct Pseudonyms {
    /// Their names.
    pub columns: Vec<String>,
    /// The key.
    pub key: Key,
}

impl Pseudonyms {
    pub(super) fn record(&self) -> Value {
        json!({"name": "pseudonymise", "columns": self.columns, "key_id": self.key.id})
    }
}

/// A pseudonym key, stored as the initial digest states, from which it cannot be recovered; `Debug` shows its id.
#[derive(Clone)]
pub struct Key {
    start: Hmac<Sha256>,
    id: String,
}

/// The text whose pseudonym is the key's id.
const ID_TEXT: &[u8] = b"kt-archive pseudonym key";

/// Hexadecimal digits of a key id.
const ID_DIGITS: usize = 16;

type Pseudonym = [u8; 64];

impl Key {
    /// Creates the key from its bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let start = Hmac::new_from_slice(bytes).unwrap_or_else(|_| unreachable!("keys may have any length"));
        let id = String::from_utf8_lossy(&pseudonym(&start, ID_TEXT)[..ID_DIGITS]).into_owned();
        Self { start, id }
    }

    /// The key's id in manifests: identifies the key without revealing it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Pseudonymises the `values` of `column`; NULL stays NULL.
    pub(super) fn pseudonyms(&self, column: &Column, values: &ArrayRef) -> io::Result<ArrayRef> {
        let texts = Texts::new(column, values);
        let mut pseudonyms = StringBuilder::with_capacity(values.len(), values.len() * size_of::<Pseudonym>());
        let mut text = Vec::new();
        for row in 0..values.len() {
            if values.is_null(row) {
                pseudonyms.append_null();
                continue;
            }
            let pseudonym = pseudonym(&self.start, texts.get(row, &mut text)?);
            pseudonyms.append_value(std::str::from_utf8(&pseudonym).map_err(io::Error::other)?);
        }
        Ok(Arc::new(pseudonyms.finish()))
    }
}

fn pseudonym(start: &Hmac<Sha256>, text: &[u8]) -> Pseudonym {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = start.clone().chain_update(text).finalize().into_bytes();
    let mut pseudonym = [0; 64];
    for (pair, byte) in pseudonym.chunks_exact_mut(2).zip(digest) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    pseudonym
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}
