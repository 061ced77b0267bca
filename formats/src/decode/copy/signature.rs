//! What comes before the first row.

use super::CopyError;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Flags of this half change how rows are to be read.
const CRITICAL: u32 = 0xffff_0000;

/// Checks the first message of a binary COPY, and returns the length of what comes before a row in it.
pub fn signature(bytes: &[u8]) -> Result<usize, CopyError> {
    let rest = bytes.strip_prefix(SIGNATURE).ok_or(CopyError::Signature)?;
    let (flags, rest) = rest.split_first_chunk().ok_or(CopyError::Truncated)?;
    let (extension, rest) = rest.split_first_chunk().ok_or(CopyError::Truncated)?;
    let flags = u32::from_be_bytes(*flags) & CRITICAL;
    if flags != 0 {
        return Err(CopyError::Flags(flags));
    }
    let extension = usize::try_from(i32::from_be_bytes(*extension)).ok();
    let rows = extension.and_then(|length| rest.get(length..)).ok_or(CopyError::Truncated)?;
    Ok(bytes.len() - rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_message(flags: u32, extension: i32, rest: &[u8]) -> Vec<u8> {
        [SIGNATURE, &flags.to_be_bytes()[..], &extension.to_be_bytes(), rest].concat()
    }

    #[test]
    fn ends_where_the_rows_begin() {
        assert_eq!(signature(&first_message(0, 0, b"")), Ok(19));
        assert_eq!(signature(&first_message(0, 0, b"\0\x02row")), Ok(19));
        assert_eq!(signature(&first_message(0xffff, 3, b"extrow")), Ok(22));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        assert_eq!(signature(b""), Err(CopyError::Signature));
        assert_eq!(signature(b"PGCOPY\n\xff\r\n"), Err(CopyError::Signature));
        assert_eq!(signature(b"PGCOPY\n\xff\n\0\0\0\0\0\0\0\0\0"), Err(CopyError::Signature));
        // Row identifiers, which servers sent before version 12.
        assert_eq!(signature(&first_message(1 << 16, 0, b"")), Err(CopyError::Flags(1 << 16)));
        for length in 11..19 {
            assert_eq!(signature(&first_message(0, 0, b"")[..length]), Err(CopyError::Truncated), "{length}");
        }
        assert_eq!(signature(&first_message(0, 4, b"ext")), Err(CopyError::Truncated));
        assert_eq!(signature(&first_message(0, -1, b"ext")), Err(CopyError::Truncated));
    }
}
