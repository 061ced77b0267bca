//! Counts records without looking at their values.

use super::{CsvError, CsvSplitter, records::Records};
use std::io::Read;

/// Bytes that are read at once.
const READ: usize = 256 << 10;

/// The number of records of a CSV after its header, malformed ones included. Holds no more than the longest record and
/// a few hundred kilobytes.
pub fn count_records(mut reader: impl Read) -> Result<u64, CsvError> {
    let mut splitter = CsvSplitter::new(READ);
    let mut block = vec![0; READ];
    let mut records = 0;
    loop {
        let length = match reader.read(&mut block) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        splitter.push(&block[..length])?;
        while let Some(chunk) = splitter.next_chunk() {
            records += count(&chunk);
        }
    }
    if let Some(chunk) = splitter.finish()? {
        records += count(&chunk);
    }
    Ok(records.saturating_sub(1))
}

fn count(chunk: &[u8]) -> u64 {
    let mut records = Records::new(chunk, 0);
    let mut count = 0;
    while records.next_record().is_some() {
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_records_and_not_lines() {
        for (csv, records) in [("", 0), ("a,b", 0), ("a,b\n", 0), ("a,b\r\n1,2", 1), ("a,b\n\n1,\"2\n3\"\n,\n\r\n", 2)]
        {
            assert_eq!(count_records(csv.as_bytes()).unwrap(), records, "{csv:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_an_error() {
        assert!(matches!(count_records(&b"a,b\n1,\"2\n"[..]), Err(CsvError::Truncated)));
    }
}
