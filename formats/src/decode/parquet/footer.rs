//! Reads the footer of a Parquet file, on a stack with room for any schema of its size.
//!
//! The Parquet library recurses into nested elements of a schema without a limit, and a footer from outside may have
//! thousands. So their number is compared first: it is the one of the manifest's columns, whose types have a limit.

use super::ReadError;
use crate::{Schema, batch::SchemaMismatch};
use parquet::{
    arrow::{
        ArrowSchemaConverter,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    },
    errors::ParquetError,
    file::{FOOTER_SIZE, metadata::FooterTail, reader::ChunkReader},
    schema::types::Type,
};
use std::thread;

/// Stack of the thread that reads a footer, and more for each element of its schema. It is reserved, and taken only by
/// a schema that is nested deeply.
const STACK: usize = 2 << 20;
const STACK_OF_ELEMENT: usize = 8 << 10;

/// The metadata of `file`, which must have the columns of `schema`.
pub(super) fn read(file: &impl ChunkReader, schema: &Schema) -> Result<ArrowReaderMetadata, ReadError> {
    let arrow = schema.to_arrow();
    let elements = count(ArrowSchemaConverter::new().convert(&arrow)?.root_schema());
    if elements_in_footer(file)? != Some(elements) {
        return Err(SchemaMismatch::Columns.into());
    }
    let read = || {
        let metadata = ArrowReaderMetadata::load(file, ArrowReaderOptions::default())?;
        let is_same = metadata.schema().fields() == arrow.fields();
        if is_same { Ok(metadata) } else { Err(SchemaMismatch::Columns.into()) }
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK + elements * STACK_OF_ELEMENT);
        let reading = thread.spawn_scoped(scope, read).map_err(ParquetError::from)?;
        // The library panicked.
        reading.join().map_err(|_| ReadError::Invalid)?
    })
}

/// The number of elements in a schema whose depth is limited.
fn count(element: &Type) -> usize {
    let children = if element.is_group() { element.get_fields() } else { &[] };
    1 + children.iter().map(|child| count(child)).sum::<usize>()
}

/// Bytes of a footer before the first element of its schema, at most.
const HEAD: usize = 16;

/// The number of elements in the schema of a footer; `None` if it is not where all Parquet writers have it.
fn elements_in_footer(file: &impl ChunkReader) -> Result<Option<usize>, ParquetError> {
    let length = file.len();
    let tail_at = length.saturating_sub(FOOTER_SIZE as u64);
    let tail = file.get_bytes(tail_at, FOOTER_SIZE)?;
    let footer = FooterTail::try_from(&tail[..])?.metadata_length();
    let footer_at = tail_at.checked_sub(footer as u64);
    let footer_at = footer_at.ok_or_else(|| ParquetError::EOF("the footer begins before the file".to_owned()))?;
    Ok(elements_in_head(&file.get_bytes(footer_at, footer.min(HEAD))?))
}

/// Reads Thrift's compact protocol: field 1, the version, then field 2, the elements as a list of structures.
fn elements_in_head(head: &[u8]) -> Option<usize> {
    const NUMBER_AFTER_0: u8 = 0x15;
    const LIST_AFTER_1: u8 = 0x19;
    const STRUCTURES: u8 = 0x0c;
    let (_, rest) = split_number(head.strip_prefix(&[NUMBER_AFTER_0])?)?;
    let (kind, rest) = rest.strip_prefix(&[LIST_AFTER_1])?.split_first()?;
    match (kind >> 4, kind & 0x0f) {
        (0x0f, STRUCTURES) => split_number(rest).map(|(elements, _)| elements),
        (elements, STRUCTURES) => Some(elements.into()),
        _ => None,
    }
}

/// The number at the start of `bytes`, seven bits in each byte, and the rest; `None` if it has more than 28 bits.
fn split_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = 1 + bytes.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(length);
    Some((number.iter().rev().fold(0, |sum, byte| (sum << 7) | usize::from(byte & 0x7f)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, ColumnType, decode::parquet::ParquetEvents};
    use bytes::Bytes;
    use std::sync::Arc;

    /// A file without rows whose schema has `elements` elements, each in the one before.
    fn nested(elements: u16) -> Bytes {
        let mut footer = vec![0x15, 2, 0x19, 0xfc];
        footer.extend(
            [0, 7, 14]
                .map(|shift| u8::try_from((elements >> shift) & 0x7f).unwrap() | if shift < 14 { 0x80 } else { 0 }),
        );
        // The root is the element "r", a group has one child, and the last one is a text.
        footer.extend([0x48, 1, b'r', 0x15, 2, 0]);
        (2..elements).for_each(|_| footer.extend([0x35, 0, 0x18, 1, b'g', 0x15, 2, 0]));
        footer.extend([0x15, 12, 0x25, 0, 0x18, 1, b't', 0]);
        // No rows, no row groups.
        footer.extend([0x16, 0, 0x19, 0x0c, 0]);
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        [b"PAR1".as_slice(), &footer, &length, b"PAR1"].concat().into()
    }

    fn schema(columns: u16) -> Arc<Schema> {
        let columns = (1..=columns).map(|number| Column {
            name: format!("c{number}"),
            kind: ColumnType::Text,
            source_type: None,
            nullable: false,
        });
        Arc::new(Schema::new(columns.collect(), "c1", "c2").unwrap())
    }

    #[test]
    fn a_deeply_nested_schema_is_refused_and_takes_no_more_stack_than_there_is() {
        // Without a stack of its size, some 1,500 elements end the process.
        for elements in [3, 16_000] {
            let nested = ParquetEvents::open(nested(elements), schema(elements - 1));
            assert!(matches!(nested, Err(ReadError::Schema(_))), "{nested:?}");
        }
        assert!(matches!(ParquetEvents::open(nested(16_000), schema(3)), Err(ReadError::Schema(_))));
    }

    #[test]
    fn a_schema_in_another_place_is_not_searched() {
        for head in [&[0x19, 0xfc][..], &[0x15, 2, 0x19, 0x38], &[0x15, 0x82, 0x80, 0x80, 0x80, 0x80, 0x19, 0x3c], &[]]
        {
            assert_eq!(elements_in_head(head), None);
        }
        assert_eq!(elements_in_head(&[0x15, 2, 0x19, 0x3c, 0x48]), Some(3));
        assert_eq!(elements_in_head(&[0x15, 2, 0x19, 0xfc, 0x80, 1]), Some(128));
    }
}
