//! Decodes the columns of a Parquet file on all cores.

use super::{ReadError, catch_panics};
use crate::pool;
use arrow_array::{ArrayRef, RecordBatch};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    },
    file::reader::ChunkReader,
};
use rayon::prelude::*;

/// Groups of columns at most: more than most machines have cores, since columns differ in their cost. It does not depend on
/// the machine, and neither does which of several errors is returned.
const GROUPS: usize = 8;

/// What is read of a file.
#[derive(Debug)]
pub(super) struct Selection {
    /// The columns, by their places in the schema, in ascending order.
    pub(super) columns: Vec<usize>,
    /// The row groups, by their places in the file, in ascending order.
    pub(super) row_groups: Vec<usize>,
    /// Number of rows of a batch.
    pub(super) batch_rows: usize,
}

/// Groups of columns, each with a reader. All yield batches of the same rows.
#[derive(Debug)]
pub(super) struct ColumnReaders {
    groups: Vec<Group>,
    /// The number of columns.
    columns: usize,
    /// Whether the pool decodes the groups.
    is_parallel: bool,
}

#[derive(Debug)]
struct Group {
    /// The places of the columns in a batch, in ascending order.
    places: Vec<usize>,
    reader: ParquetRecordBatchReader,
}

impl ColumnReaders {
    /// Reads what is selected of `file`, which has `metadata`.
    pub(super) fn new<R: ChunkReader + Clone + 'static>(
        file: R,
        metadata: &ArrowReaderMetadata,
        selection: &Selection,
    ) -> Result<Self, ReadError> {
        let Selection { columns, row_groups, batch_rows } = selection;
        let reader = move |places: Vec<usize>| {
            let roots = places.iter().map(|place| columns[*place]);
            let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata.clone());
            let builder = builder.with_projection(mask).with_row_groups(row_groups.clone());
            let reader = builder.with_batch_size(*batch_rows).build()?;
            Ok(Group { places, reader })
        };
        let groups = catch_panics(|| {
            let sizes = sizes(metadata, selection);
            divide(&sizes, GROUPS).into_iter().map(reader).collect::<Result<Vec<_>, ReadError>>()
        })??;
        // A pool without threads panics, which must not be taken for damage.
        Ok(Self { groups, columns: columns.len(), is_parallel: pool::has_threads() })
    }

    /// The columns of the next batch; `None` after the last one. Nothing may be read after an error.
    pub(super) fn next(&mut self) -> Option<Result<Vec<ArrayRef>, ReadError>> {
        let (groups, next) = (&mut self.groups, |group: &mut Group| group.reader.next());
        let batches = catch_panics(|| {
            if self.is_parallel {
                groups.par_iter_mut().with_max_len(1).map(next).collect::<Vec<_>>()
            } else {
                groups.iter_mut().map(next).collect()
            }
        });
        match batches {
            Ok(batches) if batches.iter().all(Option::is_none) => None,
            batches => Some(batches.and_then(|batches| self.merge(batches))),
        }
    }

    fn merge(
        &self,
        batches: Vec<Option<Result<RecordBatch, arrow_schema::ArrowError>>>,
    ) -> Result<Vec<ArrayRef>, ReadError> {
        let mut columns = vec![None; self.columns];
        for (group, batch) in self.groups.iter().zip(batches) {
            // Other columns have more rows.
            let batch = batch.ok_or(ReadError::Invalid)??;
            for (place, column) in group.places.iter().zip(batch.columns()) {
                columns[*place] = Some(column.clone());
            }
        }
        columns.into_iter().collect::<Option<_>>().ok_or(ReadError::Invalid)
    }
}

/// The bytes of the values of each selected column.
fn sizes(metadata: &ArrowReaderMetadata, selection: &Selection) -> Vec<u64> {
    let mut sizes = vec![0_u64; metadata.parquet_schema().root_schema().get_fields().len()];
    for row_group in &selection.row_groups {
        for (leaf, column) in metadata.metadata().row_group(*row_group).columns().iter().enumerate() {
            let size = &mut sizes[metadata.parquet_schema().get_column_root_idx(leaf)];
            *size = size.saturating_add(column.uncompressed_size().max(0).unsigned_abs());
        }
    }
    selection.columns.iter().map(|column| sizes[*column]).collect()
}

/// Divides the places of `sizes` into at most `count` groups of about the same size.
fn divide(sizes: &[u64], count: usize) -> Vec<Vec<usize>> {
    let mut places = (0..sizes.len()).collect::<Vec<_>>();
    places.sort_by_key(|place| std::cmp::Reverse(sizes[*place]));
    let mut groups = vec![(0_u64, Vec::new()); count.min(sizes.len())];
    for place in places {
        if let Some((size, group)) = groups.iter_mut().min_by_key(|(size, _)| *size) {
            *size = size.saturating_add(sizes[place].max(1));
            group.push(place);
        }
    }
    let sorted = |(_, mut group): (u64, Vec<usize>)| {
        group.sort_unstable();
        group
    };
    groups.into_iter().map(sorted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::arrow::arrow_reader::ArrowReaderOptions;

    #[test]
    fn columns_are_decoded_without_threads_too() {
        let columns = (0..20).map(|column| {
            let values = arrow_array::Int64Array::from_iter_values((0..30_000).map(|row| row * column % 1_009));
            (format!("c{column}"), std::sync::Arc::new(values) as ArrayRef)
        });
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let mut file = parquet::arrow::ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
        file.write(&rows).unwrap();
        let file = bytes::Bytes::from(file.into_inner().unwrap());
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()).unwrap();
        let selection = Selection { columns: (0..20).collect(), row_groups: vec![0], batch_rows: 8_192 };
        let read = |is_parallel| {
            let mut readers = ColumnReaders::new(file.clone(), &metadata, &selection).unwrap();
            readers.is_parallel = is_parallel;
            std::iter::from_fn(|| readers.next()).map(Result::unwrap).collect::<Vec<_>>()
        };
        assert_eq!(read(false), read(true));
        assert_eq!(read(false).iter().map(|columns| columns[0].len()).sum::<usize>(), rows.num_rows());
    }

    #[test]
    fn columns_are_divided_by_their_size() {
        assert_eq!(divide(&[1, 8, 1, 5, 4], 2), [vec![0, 1, 2], vec![3, 4]]);
        assert_eq!(divide(&[7, 0, 0], 8), [[0], [1], [2]]);
        assert_eq!(divide(&[0, 0, 0, 0], 2), [[0, 2], [1, 3]]);
        assert_eq!(divide(&[u64::MAX, u64::MAX, 1], 1), [[0, 1, 2]]);
    }
}
