//! What content looks like from its first bytes. Servers, proxies and stores send pages and error documents with
//! status 200 and any content type, and scripts save them under any name, so none of these is trusted.

use super::Syntax;

/// The first bytes of a gzip member (RFC 1952).
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Refuses content that cannot be of the `wanted` syntax, judged by the first bytes of it, and says what it is instead.
/// Nothing of the content is told.
pub(crate) fn check(start: &[u8], wanted: Syntax) -> Result<(), &'static str> {
    let found = match (meaningful(start), wanted) {
        ([b'<', ..], _) => "an HTML or XML document",
        ([b'P', b'K', 3 | 5, 4 | 6, ..], _) => "a ZIP archive",
        ([b'%', b'P', b'D', b'F', ..], _) => "a PDF document",
        ([b'P', b'A', b'R', b'1', ..], _) => "a Parquet file",
        (start, _) if start.starts_with(&GZIP) => "gzip inside gzip",
        (start, _) if start.contains(&0) => "binary data",
        ([b'{' | b'[', ..], Syntax::Csv) => "a JSON document",
        ([b'{' | b'[', ..] | [], Syntax::Json) | (_, Syntax::Csv) => return Ok(()),
        (_, Syntax::Json) => "something else",
    };
    Err(found)
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
            assert_eq!(check(start, Syntax::Csv), Ok(()), "{start:?}");
        }
    }

    #[test]
    fn json_passes_in_all_its_shapes_and_csv_does_not() {
        let json: [&[u8]; 5] = [b"[{\"id\": 1}]", b"{\"events\": []}", b"\xef\xbb\xbf \n{}", b"[]", b" \n"];
        for start in json {
            assert_eq!(check(start, Syntax::Json), Ok(()), "{start:?}");
        }
        for start in [b"id,timestamp\n".as_slice(), b"null", b"\"a\""] {
            assert_eq!(check(start, Syntax::Json), Err("something else"), "{start:?}");
        }
        assert_eq!(check(b"\xef\xbb\xbf {}", Syntax::Csv), Err("a JSON document"));
        assert_eq!(check(b"[]", Syntax::Csv), Err("a JSON document"));
    }

    #[test]
    fn pages_and_packages_do_not_pass() {
        let others: [&[u8]; 7] =
            [b"<!doctype html>", b"\r\n  <html>", b"PK\x03\x04", b"%PDF-1.7", b"PAR1", b"id,\0", b"\x1f\x8b"];
        for start in others {
            for syntax in [Syntax::Csv, Syntax::Json] {
                assert!(check(start, syntax).is_err(), "{start:?}");
            }
        }
    }
}
