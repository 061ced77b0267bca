//! Which Parquet encoding suits a column.
//!
//! A dictionary is the best encoding for a column of few values and the worst for one of unique values: it hashes every
//! value, grows to its limit, and then starts again with plain pages. So the first events of a file are looked at
//! before the file begins. The choice depends on the events alone, so that the same events make the same bytes.

use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray};
use arrow_schema::DataType;
use foldhash::fast::FixedState;
use parquet::{
    basic::{Compression, Encoding},
    file::properties::{EnabledStatistics, WriterPropertiesBuilder},
    schema::types::ColumnPath,
};
use std::{collections::HashSet, hash::BuildHasher};

/// How many events are looked at. Few enough to be held in memory (some 20 MB), enough to tell a column of a few
/// hundred users from one of unique ids.
pub(super) const SAMPLE_ROWS: usize = 20_000;

/// A column whose second half of the sample still brings this share of values never seen in the first half is better
/// off without a dictionary. Measured on a million realistic events: a dictionary of 8,000 users (0.16) is a sixth
/// larger than their names and takes a fifth more time; trace ids that span four events each are at 0.25.
const GROWTH_LIMIT: f64 = 0.1;

/// From this share on a column's values do not repeat at all.
const UNIQUE: f64 = 0.99;

/// Tokens that have so many first bytes in common are stored without them.
const SHARED_BYTES: usize = 3;

/// Sets the encoding of every column of `sample`, whose columns all files of the dataset share.
pub(super) fn choose(sample: &RecordBatch, mut properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    for (field, column) in sample.schema().fields().iter().zip(sample.columns()) {
        let Some(growth) = growth(column) else { continue };
        let path = ColumnPath::new(vec![field.name().clone()]);
        // Also what is left when a dictionary overflows.
        properties = properties.set_column_encoding(path.clone(), without_dictionary(column));
        if growth <= GROWTH_LIMIT {
            continue;
        }
        properties = properties.set_column_dictionary_enabled(path.clone(), false);
        if growth >= UNIQUE && is_random(column) {
            properties = properties.set_column_compression(path.clone(), Compression::UNCOMPRESSED);
        }
        if texts(column).is_some_and(|texts| !come_in_order(&texts)) {
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    properties
}

/// The encoding of values that hardly repeat.
fn without_dictionary(column: &ArrayRef) -> Encoding {
    match column.data_type() {
        DataType::Utf8 | DataType::Binary if texts(column).is_some_and(|texts| are_tokens(&texts)) => {
            Encoding::DELTA_BYTE_ARRAY
        }
        DataType::Utf8 | DataType::Binary => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        // Decimals of so many digits are stored as integers, others as sixteen bytes.
        DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Decimal128(..=18, _)
        | DataType::Date32
        | DataType::Time64(_)
        | DataType::Timestamp(..) => Encoding::DELTA_BINARY_PACKED,
        DataType::Float32 | DataType::Float64 => Encoding::BYTE_STREAM_SPLIT,
        _ => Encoding::PLAIN,
    }
}

/// Whether these are of one length and begin alike: `req_5f1c…`, or ids that begin with their time. Stored without what
/// they share with the one before, they are smaller, and a third cheaper to compress.
fn are_tokens(texts: &[&[u8]]) -> bool {
    let Some((first, others)) = texts.split_first() else { return false };
    let shared = first.get(..SHARED_BYTES);
    shared.is_some_and(|shared| others.iter().all(|text| text.len() == first.len() && text.starts_with(shared)))
}

/// Whether all texts of the second half come after all of the first, or before them. If not, every page of a column of
/// unique texts reaches from A to Z, and its bounds, which cost as much as a tenth of its encoding, tell nothing.
fn come_in_order(texts: &[&[u8]]) -> bool {
    let (first, second) = texts.split_at(texts.len() / 2);
    first.iter().max() <= second.iter().min() || second.iter().max() <= first.iter().min()
}

/// Whether `column` has UUIDs that do not even share their first byte, as those that begin with their time do. There is
/// nothing in them to compress.
fn is_random(column: &ArrayRef) -> bool {
    let Some(values) = column.as_fixed_size_binary_opt().filter(|values| values.value_length() == 16) else {
        return false;
    };
    let mut starts = values.iter().flatten().map(|value| value.first());
    let first = starts.next();
    starts.any(|start| Some(start) != first)
}

/// The texts of a column that are not null; `None` for other types.
fn texts(column: &ArrayRef) -> Option<Vec<&[u8]>> {
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().iter().flatten().map(str::as_bytes).collect()),
        DataType::Binary => Some(column.as_binary::<i32>().iter().flatten().collect()),
        _ => None,
    }
}

/// The share of the values in the second half of `column` that were not there before; `None` for types that never have
/// a dictionary or are nested.
fn growth(column: &ArrayRef) -> Option<f64> {
    let hashes = value_hashes(column)?;
    let (first, second) = hashes.split_at(hashes.len() / 2);
    let mut seen = first.iter().copied().collect::<HashSet<_, FixedState>>();
    let fresh = second.iter().filter(|hash| seen.insert(**hash)).count();
    // Samples are at most SAMPLE_ROWS long, so the counts are exact as f64.
    let count = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
    Some(if second.is_empty() { 0.0 } else { count(fresh) / count(second.len()) })
}

/// A hash of every value that is not null.
fn value_hashes(column: &ArrayRef) -> Option<Vec<u64>> {
    // Of a fixed seed, because the choice must be the same in every run.
    let hasher = FixedState::default();
    let rows = || (0..column.len()).filter(|row| column.is_valid(*row));
    let fixed = |width: usize| -> Option<Vec<u64>> {
        let data = column.to_data();
        let bytes = data.buffers().first()?.as_slice().get(data.offset() * width..)?;
        rows().map(|row| bytes.get(row * width..(row + 1) * width).map(|value| hasher.hash_one(value))).collect()
    };
    match column.data_type() {
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            Some(rows().map(|row| hasher.hash_one(values.value(row))).collect())
        }
        DataType::Binary => {
            let values = column.as_binary::<i32>();
            Some(rows().map(|row| hasher.hash_one(values.value(row))).collect())
        }
        DataType::FixedSizeBinary(width) => fixed(usize::try_from(*width).ok()?),
        other => fixed(other.primitive_width()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{FixedSizeBinaryArray, Int64Array, StringArray};
    use std::sync::Arc;

    fn is_growing(column: &ArrayRef) -> bool {
        growth(column).unwrap() > GROWTH_LIMIT
    }

    #[test]
    fn few_values_keep_their_dictionary_and_unique_ones_do_not() {
        let users: ArrayRef = Arc::new(StringArray::from_iter_values((0..2_000).map(|n| format!("user-{}", n % 50))));
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values((0..2_000).map(|n| format!("evt_{n}"))));
        let tokens: ArrayRef = Arc::new(Int64Array::from_iter_values(0..2_000));
        assert!(!is_growing(&users));
        assert!(is_growing(&ids));
        assert!(is_growing(&tokens));
    }

    #[test]
    fn columns_without_a_value_need_no_choice() {
        let nothing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 10]));
        assert!(!is_growing(&nothing));
    }

    #[test]
    fn tokens_are_of_one_length_and_begin_alike() {
        assert!(are_tokens(&[b"req_5f1c", b"req_00ab"]));
        assert!(!are_tokens(&[b"req_5f1c", b"req_00ab1"]));
        assert!(!are_tokens(&[b"req_5f1c", b"rep_5f1c"]));
        assert!(!are_tokens(&[b"a", b"b"]) && !are_tokens(&[]));
    }

    #[test]
    fn texts_that_rise_or_fall_keep_their_statistics() {
        assert!(come_in_order(&[b"a", b"b", b"c", b"d"]) && come_in_order(&[b"d", b"c", b"b", b"a"]));
        assert!(!come_in_order(&[b"a", b"d", b"b", b"c"]));
    }

    #[test]
    fn only_uuids_that_do_not_begin_with_their_time_are_random() {
        let uuids = |values: [u128; 2]| -> ArrayRef {
            Arc::new(FixedSizeBinaryArray::try_from_iter(values.iter().map(|value| value.to_be_bytes())).unwrap())
        };
        assert!(is_random(&uuids([1 << 127, 1])));
        assert!(!is_random(&uuids([0x0198 << 112 | 1, 0x0198 << 112 | 2])));
        let bytes: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter([[0], [1]].iter()).unwrap());
        assert!(!is_random(&bytes));
    }
}
