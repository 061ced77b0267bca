//! Decodes decompressed `rejects` files.

use crate::Reject;
use crate::encode::MAX_RECORD_BYTES;
use std::io::{self, BufRead, Read as _};

/// JSON escapes some bytes with six characters; the other members of a line are short.
const MAX_LINE_BYTES: u64 = 7 * MAX_RECORD_BYTES as u64;

/// Iterator over the rejects of a file, one for each line. It ends after an error.
#[derive(Debug)]
pub struct RejectsReader<R> {
    lines: Option<R>,
    line: Vec<u8>,
}

impl<R: BufRead> RejectsReader<R> {
    /// A reader of decompressed lines.
    pub const fn new(lines: R) -> Self {
        Self { lines: Some(lines), line: Vec::new() }
    }

    fn read(&mut self) -> io::Result<Option<Reject>> {
        let Some(lines) = &mut self.lines else { return Ok(None) };
        self.line.clear();
        if lines.take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        match self.line.strip_suffix(b"\n") {
            Some(line) => Ok(Some(serde_json::from_slice(line)?)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "the last line has no line feed")),
        }
    }
}

impl<R: BufRead> Iterator for RejectsReader<R> {
    type Item = io::Result<Reject>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if read.is_err() {
            self.lines = None;
        }
        read.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{FileEncoder as _, RejectsEncoder};
    use flate2::read::MultiGzDecoder;
    use proptest::{collection::vec, option, prelude::*};

    fn packed(rejects: &[Reject]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Box::new(RejectsEncoder::new(&mut file, u64::MAX));
        for reject in rejects {
            encoder.write(reject).unwrap();
        }
        let whole = encoder.finish().unwrap();
        assert_eq!((whole.rows, whole.bytes), (rejects.len() as u64, file.len() as u64));
        file
    }

    fn unpacked(file: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        MultiGzDecoder::new(file).read_to_end(&mut text).unwrap();
        text
    }

    fn reject(row: &[u8]) -> Reject {
        Reject { file: None, line: 3, column: None, reason: "no id".to_owned(), row: row.to_vec() }
    }

    #[test]
    fn a_row_is_text_or_base64() {
        let named = Reject { file: Some("a.csv".into()), column: Some("note".to_owned()), ..reject(b"\xff,1") };
        let text = String::from_utf8(unpacked(&packed(&[reject(b"a,\"b\"\r\n"), named]))).unwrap();
        let expected = concat!(
            r#"{"line":3,"column":null,"reason":"no id","row":"a,\"b\"\r\n"}"#,
            "\n",
            r#"{"line":3,"file":"a.csv","column":"note","reason":"no id","row_base64":"/ywx"}"#,
            "\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_malformed_line_is_an_error_and_ends_the_file() {
        let row = r#"{"line":1,"column":null,"reason":"no id""#;
        for line in [
            "\n".to_owned(),
            "[]\n".to_owned(),
            format!("{row}}}\n"),
            format!("{row},\"row\":\"a\",\"row_base64\":\"YQ==\"}}\n"),
            format!("{row},\"row_base64\":\"!\"}}\n"),
            format!("{row},\"row\":\"a\"}}"),
        ] {
            let mut reader = RejectsReader::new(line.as_bytes());
            assert!(reader.next().unwrap().is_err(), "{line}");
            assert!(reader.next().is_none(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn rejects_round_trip(
            rows in vec((option::of(".*"), any::<u64>(), option::of(".*"), ".*", vec(any::<u8>(), 0..40)), 0..8)
        ) {
            let reject = |(file, line, column, reason, row): (Option<String>, _, _, _, _)| {
                Reject { file: file.map(Into::into), line, column, reason, row }
            };
            let rejects = rows.into_iter().map(reject).collect::<Vec<_>>();
            let file = packed(&rejects);
            prop_assert_eq!(&file, &packed(&rejects));
            let read = RejectsReader::new(&unpacked(&file)[..]).collect::<io::Result<Vec<_>>>().unwrap();
            prop_assert_eq!(read, rejects);
        }
    }
}
