//! Files with a part of an archive, for `pull`.

use super::{
    EncodeError,
    csv::{write_names, write_records, write_safe_text, write_text},
    parquet::properties,
    row_groups::{RowGroups, Shape},
    text_file::TextFile,
    values::Values,
};
use crate::{Column, ColumnType, Sha256, digest::DigestWriter, schema::arrow_columns};
use arrow_array::RecordBatch;
use serde::{Serialize, Serializer};
use std::{
    fmt,
    io::{self, Write},
};

/// The format of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceFormat {
    /// CSV with the fields of the archive's CSV files.
    Csv,
    /// Parquet, with the types of the archive.
    Parquet,
    /// A JSON object for each row, one per line.
    Jsonl,
}

impl SliceFormat {
    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
        }
    }
}

impl fmt::Display for SliceFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for SliceFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The options of a slice.
#[derive(Clone, Copy, Debug)]
pub struct SliceStyle {
    /// The format.
    pub format: SliceFormat,
    /// Whether to gzip text; Parquet is compressed already.
    pub gzip: bool,
    /// Whether to prefix texts of CSV that a spreadsheet would evaluate with `'`.
    pub csv_safe: bool,
}

/// A finished slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodedSlice {
    /// The number of rows.
    pub rows: u64,
    /// The size in bytes.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
}

/// Writes rows to one file.
pub trait SliceEncoder: fmt::Debug + Send {
    /// Appends rows with the columns of the file. The encoder cannot be used after an error.
    fn write(&mut self, rows: &RecordBatch) -> Result<(), EncodeError>;

    /// Writes buffered rows and flushes the sink. A file without rows is valid.
    fn finish(self: Box<Self>) -> Result<EncodedSlice, EncodeError>;
}

/// An encoder that writes rows with `columns`, at least one, to `sink`.
pub fn encoder<W: Write + Send + fmt::Debug + 'static>(
    style: SliceStyle,
    columns: Vec<Column>,
    sink: W,
) -> Result<Box<dyn SliceEncoder>, EncodeError> {
    Ok(match style.format {
        SliceFormat::Csv => Box::new(CsvSlice::new(sink, columns, style)?),
        SliceFormat::Jsonl => Box::new(JsonlSlice::new(sink, columns, style.gzip)?),
        SliceFormat::Parquet => Box::new(ParquetSlice::new(sink, &columns)?),
    })
}

/// A header, and a record for each row.
#[derive(Debug)]
struct CsvSlice<W: Write> {
    file: TextFile<W>,
    columns: Vec<Column>,
    safe: bool,
    rows: u64,
}

impl<W: Write> CsvSlice<W> {
    fn new(sink: W, columns: Vec<Column>, style: SliceStyle) -> io::Result<Self> {
        let mut file = if style.gzip { TextFile::gzipped(sink, u64::MAX) } else { TextFile::plain(sink) };
        write_names(&columns, file.buffer(), if style.csv_safe { write_safe_text } else { write_text });
        file.end_line()?;
        Ok(Self { file, columns, safe: style.csv_safe, rows: 0 })
    }
}

impl<W: Write + Send + fmt::Debug> SliceEncoder for CsvSlice<W> {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), EncodeError> {
        if self.safe {
            write_records(&mut self.file, &self.columns, rows, usize::MAX, Values::write_safe_field)?;
        } else {
            write_records(&mut self.file, &self.columns, rows, usize::MAX, Values::write_field)?;
        }
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<EncodedSlice, EncodeError> {
        let (bytes, sha256) = self.file.finish()?;
        Ok(EncodedSlice { rows: self.rows, bytes, sha256 })
    }
}

/// An object for each row, with keys in the order of the columns.
#[derive(Debug)]
struct JsonlSlice<W: Write> {
    file: TextFile<W>,
    columns: Vec<(Column, Key)>,
    rows: u64,
}

#[derive(Debug)]
struct Key {
    /// The name as JSON, followed by a colon.
    text: Vec<u8>,
    /// Whether values contain JSON from the source.
    holds_json: bool,
}

impl<W: Write> JsonlSlice<W> {
    fn new(sink: W, columns: Vec<Column>, gzip: bool) -> io::Result<Self> {
        let file = if gzip { TextFile::gzipped(sink, u64::MAX) } else { TextFile::plain(sink) };
        let columns = columns.into_iter().map(|column| {
            let mut text = serde_json::to_vec(&column.name)?;
            text.push(b':');
            let key = Key { text, holds_json: holds_json(&column.kind) };
            Ok((column, key))
        });
        Ok(Self { file, columns: columns.collect::<io::Result<_>>()?, rows: 0 })
    }
}

impl<W: Write + Send + fmt::Debug> SliceEncoder for JsonlSlice<W> {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), EncodeError> {
        let columns = self.columns.iter().zip(rows.columns());
        let columns = columns.map(|((column, key), array)| (key, Values::new(column, array)));
        let columns = columns.collect::<Vec<_>>();
        for row in 0..rows.num_rows() {
            let line = self.file.buffer();
            let mut separator = b'{';
            for (key, column) in &columns {
                line.push(separator);
                separator = b',';
                line.extend_from_slice(&key.text);
                let start = line.len();
                column.write_json(row, line)?;
                if key.holds_json {
                    onto_one_line(&mut line[start..]);
                }
            }
            line.push(b'}');
            self.file.end_line()?;
        }
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<EncodedSlice, EncodeError> {
        let (bytes, sha256) = self.file.finish()?;
        Ok(EncodedSlice { rows: self.rows, bytes, sha256 })
    }
}

fn holds_json(kind: &ColumnType) -> bool {
    match kind {
        ColumnType::Json => true,
        ColumnType::List(element) => holds_json(element),
        _ => false,
    }
}

/// Replaces line ends in JSON from the source, which are never part of a value, by blanks.
fn onto_one_line(json: &mut [u8]) {
    for byte in json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}

/// Parquet with the types of the columns, compressed with zstd.
#[derive(Debug)]
struct ParquetSlice<W: Write + Send> {
    groups: RowGroups<DigestWriter<W>>,
    rows: u64,
}

impl<W: Write + Send> ParquetSlice<W> {
    fn new(sink: W, columns: &[Column]) -> Result<Self, EncodeError> {
        let schema = arrow_columns(columns);
        let shape = Shape::of_columns(&schema);
        let properties = properties(&schema, shape)?.build();
        Ok(Self { groups: RowGroups::new(DigestWriter::new(sink), schema, properties, shape)?, rows: 0 })
    }
}

impl<W: Write + Send + fmt::Debug> SliceEncoder for ParquetSlice<W> {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), EncodeError> {
        self.rows += rows.num_rows() as u64;
        self.groups.write(rows)
    }

    fn finish(self: Box<Self>) -> Result<EncodedSlice, EncodeError> {
        let (mut sink, bytes, sha256) = self.groups.finish()?.sink.finish();
        sink.flush()?;
        Ok(EncodedSlice { rows: self.rows, bytes, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
        TimestampMicrosecondArray,
    };
    use proptest::prelude::*;
    use std::{
        io::Read as _,
        sync::{Arc, Mutex, PoisonError},
    };

    /// A sink whose bytes stay readable after the encoder took it.
    #[derive(Clone, Debug, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const fn plain(format: SliceFormat) -> SliceStyle {
        SliceStyle { format, gzip: false, csv_safe: false }
    }

    /// Rows of columns, given by name, type and values.
    fn columns(columns: Vec<(&str, &str, ArrayRef)>) -> (Vec<Column>, RecordBatch) {
        let column = |name: &str, kind: &str| Column {
            name: name.to_owned(),
            kind: kind.parse().unwrap(),
            source_type: None,
            nullable: true,
        };
        let (columns, arrays): (Vec<_>, Vec<_>) =
            columns.into_iter().map(|(name, kind, array)| (column(name, kind), array)).unzip();
        let rows = RecordBatch::try_new(arrow_columns(&columns), arrays).unwrap();
        (columns, rows)
    }

    fn encode(style: SliceStyle, columns: Vec<Column>, rows: &[RecordBatch]) -> Vec<u8> {
        let sink = Shared::default();
        let mut writer = encoder(style, columns, sink.clone()).unwrap();
        rows.iter().try_for_each(|rows| writer.write(rows)).unwrap();
        let encoded = writer.finish().unwrap();
        let bytes = sink.0.lock().unwrap().clone();
        let count = rows.iter().map(|rows| rows.num_rows() as u64).sum();
        assert_eq!(encoded, EncodedSlice { rows: count, bytes: bytes.len() as u64, sha256: Sha256::digest(&bytes) });
        bytes
    }

    fn text(style: SliceStyle, given: Vec<(&str, &str, ArrayRef)>) -> String {
        let (columns, rows) = columns(given);
        String::from_utf8(encode(style, columns, &[rows])).unwrap()
    }

    fn samples() -> Vec<(&'static str, &'static str, ArrayRef)> {
        let decimals = Decimal128Array::from(vec![Some(2_500_000_000_000_000), None]);
        vec![
            ("text", "text", Arc::new(StringArray::from(vec![Some("a\"b\n\u{1f980}"), Some("")]))),
            ("json", "json", Arc::new(StringArray::from(vec![Some("{\"a\": 1.10,\n \"b\": [ ]}"), None]))),
            ("count", "int64", Arc::new(Int64Array::from(vec![9_007_199_254_740_993, i64::MIN]))),
            ("cost", "decimal(38,18)", Arc::new(decimals.with_precision_and_scale(38, 18).unwrap())),
            ("float", "float64", Arc::new(Float64Array::from(vec![1e300, f64::NAN]))),
            ("on", "bool", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("day", "date", Arc::new(Date32Array::from(vec![20_148, 0]))),
            ("bytes", "binary", Arc::new(BinaryArray::from_vec(vec![b"\x00\xff", b""]))),
            ("at", "timestamp(us,UTC)", Arc::new(TimestampMicrosecondArray::from(vec![1, 0]).with_timezone("UTC"))),
        ]
    }

    #[test]
    fn json_lines_keep_all_digits_and_embed_json() {
        let expected = "\
{\"text\":\"a\\\"b\\n\u{1f980}\",\"json\":{\"a\": 1.10,  \"b\": [ ]},\"count\":9007199254740993,\"cost\":0.0025,\
\"float\":1e300,\"on\":true,\"day\":\"2025-03-01\",\"bytes\":\"00ff\",\"at\":\"1970-01-01T00:00:00.000001Z\"}
{\"text\":\"\",\"json\":null,\"count\":-9223372036854775808,\"cost\":null,\
\"float\":\"NaN\",\"on\":null,\"day\":\"1970-01-01\",\"bytes\":\"\",\"at\":\"1970-01-01T00:00:00.000000Z\"}
";
        let printed = text(plain(SliceFormat::Jsonl), samples());
        assert_eq!(printed, expected);
        for line in printed.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }

    #[test]
    fn keys_are_escaped_and_in_column_order() {
        let value = || -> ArrayRef { Arc::new(Int64Array::from(vec![1])) };
        let printed = text(plain(SliceFormat::Jsonl), vec![("b\"", "int64", value()), ("a", "int64", value())]);
        assert_eq!(printed, "{\"b\\\"\":1,\"a\":1}\n");
    }

    #[test]
    fn csv_fields_are_those_of_the_archive() {
        let printed = text(plain(SliceFormat::Csv), samples());
        let expected = "\
text,json,count,cost,float,on,day,bytes,at
\"a\"\"b\n\u{1f980}\",\"{\"\"a\"\": 1.10,\n \"\"b\"\": [ ]}\",9007199254740993,0.0025,1e300,true,2025-03-01,00ff,\
1970-01-01T00:00:00.000001Z
\"\",,-9223372036854775808,,NaN,,1970-01-01,\"\",1970-01-01T00:00:00.000000Z
";
        assert_eq!(printed, expected);
    }

    #[test]
    fn only_text_is_guarded_against_formulas() {
        let style = SliceStyle { csv_safe: true, ..plain(SliceFormat::Csv) };
        let notes = Arc::new(StringArray::from(vec![Some("=1+1"), None, Some("fine")]));
        let given =
            vec![("note", "text", notes as ArrayRef), ("n", "int64", Arc::new(Int64Array::from(vec![-1, -2, 3])))];
        assert_eq!(text(style, given), "note,n\n\"'=1+1\",-1\n,-2\nfine,3\n");
    }

    #[test]
    fn names_are_guarded_and_a_byte_order_mark_stays_quoted() {
        let style = SliceStyle { csv_safe: true, ..plain(SliceFormat::Csv) };
        let column = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
        let given = vec![("\u{feff}n", "int64", column()), ("=n", "int64", column()), ("m", "int64", column())];
        assert_eq!(text(style, given), "\"\u{feff}n\",\"'=n\",m\n1,1,1\n");
    }

    #[test]
    fn text_can_be_gzipped() {
        for format in [SliceFormat::Csv, SliceFormat::Jsonl] {
            let (columns, rows) = columns(samples());
            let zipped =
                encode(SliceStyle { gzip: true, ..plain(format) }, columns.clone(), std::slice::from_ref(&rows));
            let mut unzipped = Vec::new();
            flate2::read::MultiGzDecoder::new(zipped.as_slice()).read_to_end(&mut unzipped).unwrap();
            assert_eq!(unzipped, encode(plain(format), columns, &[rows]));
        }
    }

    #[test]
    fn parquet_keeps_types_and_values() {
        let (columns, rows) = columns(samples());
        let file = encode(plain(SliceFormat::Parquet), columns, &[rows.clone(), rows.clone()]);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
        assert_eq!(reader.schema().fields(), rows.schema().fields());
        let read = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>();
        assert_eq!(read, 4);
    }

    #[test]
    fn an_empty_slice_has_its_columns() {
        let (columns, rows) = columns(samples());
        assert_eq!(encode(plain(SliceFormat::Jsonl), columns.clone(), &[]), b"");
        let csv = encode(plain(SliceFormat::Csv), columns.clone(), &[]);
        assert_eq!(csv, b"text,json,count,cost,float,on,day,bytes,at\n");
        let file = encode(plain(SliceFormat::Parquet), columns, &[]);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
        assert_eq!(reader.schema().fields(), rows.schema().fields());
        assert_eq!(reader.build().unwrap().count(), 0);
    }

    proptest! {
        #[test]
        fn json_lines_round_trip_text_and_numbers(value: Option<String>, name: String, number: i64) {
            let texts = Arc::new(StringArray::from(vec![value.as_deref()])) as ArrayRef;
            let numbers = Arc::new(Int64Array::from(vec![number])) as ArrayRef;
            let other = format!("{name}?");
            let given = vec![(name.as_str(), "text", texts), (other.as_str(), "int64", numbers)];
            let printed = text(plain(SliceFormat::Jsonl), given);
            prop_assert_eq!(printed.find('\n'), Some(printed.len() - 1));
            let read = serde_json::from_str::<serde_json::Value>(&printed).unwrap();
            prop_assert_eq!(read, serde_json::json!({name: value, other: number}));
        }
    }
}
