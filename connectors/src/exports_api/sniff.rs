//! What content looks like from its first bytes. Servers, proxies and stores send pages and error documents with
//! status 200 and any content type, so neither of the two is trusted.

use crate::{Error, ErrorKind};

/// The first bytes of a gzip member (RFC 1952).
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Refuses content that cannot be CSV, judged by the first bytes of it. Nothing of the content is told.
pub(super) fn refuse_other_than_csv(start: &[u8]) -> Result<(), Error> {
    let found = match meaningful(start) {
        [b'<', ..] => "an HTML or XML document",
        [b'{' | b'[', ..] => "a JSON document",
        [b'P', b'K', 3 | 5, 4 | 6, ..] => "a ZIP archive",
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        [b'P', b'A', b'R', b'1', ..] => "a Parquet file",
        start if start.starts_with(&GZIP) => "gzip inside gzip",
        start if start.contains(&0) => "binary data",
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::Source, format!("the artifact is {found} where CSV was asked for"))
        .with_hint("check the source's address, and whether the token may export this dataset"))
}

/// What comes after a byte order mark and white space.
fn meaningful(start: &[u8]) -> &[u8] {
    const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
    start.strip_prefix(&BOM).unwrap_or(start).trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_passes_with_and_without_a_byte_order_mark() {
        let csv: [&[u8]; 6] =
            [b"", b"id,timestamp\n", b"\xef\xbb\xbfid,timestamp", b"\"id\",\"timestamp\"\r\n", b"PK,timestamp", b"\n"];
        for start in csv {
            assert!(refuse_other_than_csv(start).is_ok(), "{start:?}");
        }
    }

    #[test]
    fn pages_and_error_documents_do_not_pass() {
        let others: [&[u8]; 9] = [
            b"<!doctype html>",
            b"\r\n  <html>",
            b"{\"error\": \"expired\"}",
            b"[]",
            b"\xef\xbb\xbf {}",
            b"PK\x03\x04",
            b"%PDF-1.7",
            b"PAR1",
            b"id,\0",
        ];
        for start in others {
            let error = refuse_other_than_csv(start).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Source, "{start:?}");
        }
    }
}
