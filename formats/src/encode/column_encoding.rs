//! Chooses the Parquet encoding of each column.
//!
//! A dictionary is the best encoding for few distinct values and the worst for unique ones: it hashes every value, grows
//! to its limit, and falls back to plain pages. So the encodings are chosen from a sample of the file's first events.
//! The choice depends on the events alone: equal events make equal bytes.

use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray};
use arrow_schema::DataType;
use foldhash::fast::FixedState;
use parquet::{
    basic::{Compression, Encoding},
    file::properties::{EnabledStatistics, WriterPropertiesBuilder},
    schema::types::ColumnPath,
};
use std::{collections::HashSet, hash::BuildHasher};

/// Events of the sample: few enough for memory (some 20 MB), enough to distinguish a few hundred users from unique ids.
pub(super) const SAMPLE_ROWS: usize = 20_000;

/// A column gets no dictionary when more than this share of the values in the second half of the sample is not in the
/// first half. Measured on a million realistic events: a dictionary of 8,000 users (0.16) is a sixth larger than their
/// names and takes a fifth more time; trace ids of four events each are at 0.25.
const GROWTH_LIMIT: f64 = 0.1;

/// From this share on, values count as unique.
const UNIQUE: f64 = 0.99;

/// Bytes of a common prefix that make texts tokens.
const SHARED_BYTES: usize = 3;

/// Sets the encoding of every column of `sample`; that of floating-point columns without a dictionary is `floats`.
pub(super) fn choose(
    sample: &RecordBatch,
    floats: Encoding,
    mut properties: WriterPropertiesBuilder,
) -> WriterPropertiesBuilder {
    for (field, column) in sample.schema().fields().iter().zip(sample.columns()) {
        let Some(growth) = growth(column) else { continue };
        let path = ColumnPath::new(vec![field.name().clone()]);
        // Also the fallback of a dictionary that overflows.
        properties = properties.set_column_encoding(path.clone(), without_dictionary(column, floats));
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

/// The encoding of values that rarely repeat.
fn without_dictionary(column: &ArrayRef, floats: Encoding) -> Encoding {
    match column.data_type() {
        DataType::Utf8 | DataType::Binary if texts(column).is_some_and(|texts| are_tokens(&texts)) => {
            Encoding::DELTA_BYTE_ARRAY
        }
        DataType::Utf8 | DataType::Binary => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        // Decimals of up to 18 digits are stored as integers, longer ones as sixteen bytes.
        DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Decimal128(..=18, _)
        | DataType::Date32
        | DataType::Time64(_)
        | DataType::Timestamp(..) => Encoding::DELTA_BINARY_PACKED,
        DataType::Float32 | DataType::Float64 => floats,
        _ => Encoding::PLAIN,
    }
}

/// Whether texts have one length and a common prefix, as `req_5f1c…` or ids that begin with their time. Without the bytes
/// shared with the previous value they are smaller, and a third cheaper to compress.
fn are_tokens(texts: &[&[u8]]) -> bool {
    let Some((first, others)) = texts.split_first() else { return false };
    let shared = first.get(..SHARED_BYTES);
    shared.is_some_and(|shared| others.iter().all(|text| text.len() == first.len() && text.starts_with(shared)))
}

/// Whether all texts of the second half are after, or before, all of the first. If not, the bounds of every page of unique
/// texts are about the same, and useless for a tenth of the cost of encoding.
fn come_in_order(texts: &[&[u8]]) -> bool {
    let (first, second) = texts.split_at(texts.len() / 2);
    first.iter().max() <= second.iter().min() || second.iter().max() <= first.iter().min()
}

/// Whether `column` has UUIDs with different first bytes, unlike those that begin with their time. They do not compress.
fn is_random(column: &ArrayRef) -> bool {
    let Some(values) = column.as_fixed_size_binary_opt().filter(|values| values.value_length() == 16) else {
        return false;
    };
    let mut starts = values.iter().flatten().map(|value| value.first());
    let first = starts.next();
    starts.any(|start| Some(start) != first)
}

/// The texts of a column without NULL; `None` for other types.
fn texts(column: &ArrayRef) -> Option<Vec<&[u8]>> {
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().iter().flatten().map(str::as_bytes).collect()),
        DataType::Binary => Some(column.as_binary::<i32>().iter().flatten().collect()),
        _ => None,
    }
}

/// The share of the values in the second half of `column` that are not in the first; `None` for nested types and those
/// that never have a dictionary.
fn growth(column: &ArrayRef) -> Option<f64> {
    let hashes = value_hashes(column)?;
    let (first, second) = hashes.split_at(hashes.len() / 2);
    let mut seen = first.iter().copied().collect::<HashSet<_, FixedState>>();
    let fresh = second.iter().filter(|hash| seen.insert(**hash)).count();
    // Samples are at most SAMPLE_ROWS long, so the counts are exact as f64.
    let count = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
    Some(if second.is_empty() { 0.0 } else { count(fresh) / count(second.len()) })
}

/// A hash of every value except NULL.
fn value_hashes(column: &ArrayRef) -> Option<Vec<u64>> {
    // A fixed seed, since the choice must be the same in every run.
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
    fn only_few_values_keep_the_dictionary() {
        let users: ArrayRef = Arc::new(StringArray::from_iter_values((0..2_000).map(|n| format!("user-{}", n % 50))));
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values((0..2_000).map(|n| format!("evt_{n}"))));
        let tokens: ArrayRef = Arc::new(Int64Array::from_iter_values(0..2_000));
        assert!(!is_growing(&users));
        assert!(is_growing(&ids));
        assert!(is_growing(&tokens));
    }

    #[test]
    fn columns_of_nulls_keep_the_dictionary() {
        let nothing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 10]));
        assert!(!is_growing(&nothing));
    }

    #[test]
    fn tokens_have_one_length_and_a_common_prefix() {
        assert!(are_tokens(&[b"req_5f1c", b"req_00ab"]));
        assert!(!are_tokens(&[b"req_5f1c", b"req_00ab1"]));
        assert!(!are_tokens(&[b"req_5f1c", b"rep_5f1c"]));
        assert!(!are_tokens(&[b"a", b"b"]) && !are_tokens(&[]));
    }

    #[test]
    fn ordered_texts_keep_their_statistics() {
        assert!(come_in_order(&[b"a", b"b", b"c", b"d"]) && come_in_order(&[b"d", b"c", b"b", b"a"]));
        assert!(!come_in_order(&[b"a", b"d", b"b", b"c"]));
    }

    #[test]
    fn uuids_that_begin_with_their_time_are_not_random() {
        let uuids = |values: [u128; 2]| -> ArrayRef {
            Arc::new(FixedSizeBinaryArray::try_from_iter(values.iter().map(|value| value.to_be_bytes())).unwrap())
        };
        assert!(is_random(&uuids([1 << 127, 1])));
        assert!(!is_random(&uuids([0x0198 << 112 | 1, 0x0198 << 112 | 2])));
        let bytes: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter([[0], [1]].iter()).unwrap());
        assert!(!is_random(&bytes));
    }
}
