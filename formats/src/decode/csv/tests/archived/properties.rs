//! Property tests of archived CSV files.

use super::{decode, encode, schema_with, strategies};
use proptest::prelude::*;

/// The file with one byte replaced, removed or inserted.
fn damaged(file: &[u8], at: prop::sample::Index, byte: u8, how: u8) -> Vec<u8> {
    let at = at.index(file.len());
    let (before, after) = file.split_at(at);
    match how % 3 {
        0 => [before, &[byte], &after[1..]].concat(),
        1 => [before, &after[1..]].concat(),
        _ => [before, &[byte], after].concat(),
    }
}

proptest! {
    #[test]
    fn batches_round_trip((schema, records) in strategies::batch(), chunk in 1..300_usize) {
        let file = encode(&schema, records.clone());
        let read = decode(&file, &schema, chunk).unwrap().unwrap();
        prop_assert_eq!(read, records, "{}", String::from_utf8_lossy(&file));
    }

    #[test]
    fn damaged_files_are_refused_or_encode_to_the_same_bytes(
        (schema, records) in strategies::batch(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            prop::sample::select(b"\",\r\n\\[]{}0159-+.eTZ:naf \0\xff".as_slice()), any::<u8>()
        ], any::<u8>()), 1..3),
    ) {
        let file = encode(&schema, records);
        let file = damages.into_iter().fold(file, |file, (at, byte, how)| damaged(&file, at, byte, how));
        if let Ok(Some(read)) = decode(&file, &schema, 100) {
            let again = encode(&schema, read);
            prop_assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&file));
        }
    }

    #[test]
    fn random_fields_never_panic(kind in strategies::column_type(2), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let schema = schema_with(&kind.to_string());
        let row = [b"id,t,c\na,1970-01-01T00:00:00.000000Z,".as_slice(), &bytes, b"\n"].concat();
        if let Ok(Some(read)) = decode(&row, &schema, 10) {
            prop_assert_eq!(encode(&schema, read), row);
        }
    }
}
