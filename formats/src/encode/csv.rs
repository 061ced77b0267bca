//! CSV (RFC 4180) with line feeds as line ends.

use super::{EncodeError, EncodedFile, FileEncoder, text_file::TextFile, values::Values};
use crate::{Column, EventBatch, Schema, TimeSpan, column_type::Typed, encode::MAX_RECORD_BYTES};
use arrow_array::RecordBatch;
use std::{
    fmt,
    io::{self, Write},
    sync::Arc,
};

/// The byte-order mark, which readers strip from the start of a file.
const BOM: &str = "\u{feff}";

/// Writes gzipped CSV: a header, and a record for each event. NULL is an empty field, and empty text is `""`.
pub struct CsvEncoder<W: Write> {
    file: TextFile<W>,
    /// The schema of the first batch.
    schema: Option<Arc<Schema>>,
    rows: u64,
    span: TimeSpan,
}

impl<W: Write> CsvEncoder<W> {
    /// An encoder that writes to `sink`. Its file ends at about `part_size` bytes. It stays empty without a batch, since
    /// the columns are unknown.
    pub fn new(sink: W, part_size: u64) -> Self {
        Self { file: TextFile::gzipped(sink, part_size), schema: None, rows: 0, span: TimeSpan::default() }
    }

    fn write_header(&mut self, schema: &Arc<Schema>) -> Result<(), EncodeError> {
        match &self.schema {
            Some(ours) if Arc::ptr_eq(ours, schema) || ours == schema => return Ok(()),
            Some(_) => return Err(EncodeError::OtherSchema),
            None => self.schema = Some(Arc::clone(schema)),
        }
        write_names(schema.columns(), self.file.buffer(), write_text);
        Ok(self.file.end_line()?)
    }
}

impl<W: Write + Send> FileEncoder for CsvEncoder<W> {
    fn write(&mut self, batch: &EventBatch) -> Result<(), EncodeError> {
        self.write_header(batch.schema())?;
        let (columns, events) = (batch.schema().columns(), batch.records());
        match write_records(&mut self.file, columns, events, MAX_RECORD_BYTES, Values::write_field) {
            Err(EncodeError::RecordTooLong { event }) => {
                return Err(EncodeError::RecordTooLong { event: self.rows + event });
            }
            written => written?,
        }
        self.rows += batch.len() as u64;
        self.span.extend(batch);
        Ok(())
    }

    fn bytes_written(&self) -> u64 {
        self.file.bytes()
    }

    fn finish(self: Box<Self>) -> Result<EncodedFile, EncodeError> {
        let Self { file, rows, span, .. } = *self;
        let (bytes, sha256) = file.finish()?;
        Ok(EncodedFile { rows, bytes, sha256, first: span.first(), last: span.last(), ranges: None })
    }
}

/// Appends a record of at most `max_bytes` for each of `rows`; `write` appends its fields.
pub(super) fn write_records<'a, W: Write>(
    file: &mut TextFile<W>,
    columns: &[Column],
    rows: &'a RecordBatch,
    max_bytes: usize,
    write: impl Fn(&Values<'a>, usize, &mut Vec<u8>) -> io::Result<()>,
) -> Result<(), EncodeError> {
    let columns = columns.iter().zip(rows.columns());
    let columns = columns.map(|(column, array)| Values::new(column, array)).collect::<Vec<_>>();
    for row in 0..rows.num_rows() {
        let line = file.buffer();
        let start = line.len();
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            write(column, row, line)?;
        }
        if line.len() - start > max_bytes {
            return Err(EncodeError::RecordTooLong { event: row as u64 });
        }
        file.end_line()?;
    }
    Ok(())
}

/// Appends the header without its line end; `write` appends the field of a name.
pub(crate) fn write_names(columns: &[Column], line: &mut Vec<u8>, write: fn(&[u8], &mut Vec<u8>)) {
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            line.push(b',');
        }
        if column.name.starts_with(BOM) {
            write_quoted(column.name.as_bytes(), line);
        } else {
            write(column.name.as_bytes(), line);
        }
    }
}

impl<W: Write> fmt::Debug for CsvEncoder<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CsvEncoder").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Values<'_> {
    /// Appends the field of `row`: nothing for NULL, quotes only where they are needed.
    pub(super) fn write_field(&self, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
        match &self.typed {
            _ if self.is_null(row) => Ok(()),
            Typed::Text(array) | Typed::Json(array) => {
                write_text(array.value(row).as_bytes(), out);
                Ok(())
            }
            Typed::List(_) | Typed::Binary(_) => {
                let start = out.len();
                self.write_text(row, out)?;
                quote_from(start, out);
                Ok(())
            }
            _ => self.write_text(row, out),
        }
    }

    /// Like [`Self::write_field`], but a text that a spreadsheet would evaluate gets a leading `'`. Other types are never
    /// evaluated.
    pub(super) fn write_safe_field(&self, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
        match &self.typed {
            Typed::Text(array) if !self.is_null(row) => {
                write_safe_text(array.value(row).as_bytes(), out);
                Ok(())
            }
            _ => self.write_field(row, out),
        }
    }
}

/// Appends text as a field. Empty text is quoted, to differ from NULL.
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        write_quoted(text, out);
    }
}

/// Whether the field of `text` needs no quotes.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    let has_special = || memchr::memchr3(b',', b'"', b'\n', text).is_some() || memchr::memchr(b'\r', text).is_some();
    !text.is_empty() && !has_special()
}

/// Appends text as a quoted field.
fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        out.push(b'"');
        rest = &rest[quote + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Quotes the text from `start` on, if needed, in place.
fn quote_from(start: usize, out: &mut Vec<u8>) {
    if is_plain(&out[start..]) {
        return;
    }
    let mut from = out.len();
    let quotes = memchr::memchr_iter(b'"', &out[start..]).count();
    out.resize(from + quotes + 2, b'"');
    let mut to = out.len() - 1;
    while from > start {
        from -= 1;
        to -= 1;
        out[to] = out[from];
        if out[from] == b'"' {
            to -= 1;
            out[to] = b'"';
        }
    }
    out[start] = b'"';
}

/// The first characters of cells that spreadsheets evaluate (OWASP, "CSV Injection").
const FORMULA_STARTS: [u8; 6] = [b'=', b'+', b'-', b'@', b'\t', b'\r'];

/// Appends text as a field that spreadsheets do not evaluate.
pub(super) fn write_safe_text(text: &[u8], out: &mut Vec<u8>) {
    if text.first().is_some_and(|first| FORMULA_STARTS.contains(first)) {
        write_quoted(&[b"'", text].concat(), out);
    } else {
        write_text(text, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColumnType, catalogue::COST};
    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float32Array,
        Float64Array, Int16Array, Int32Array, Int64Array, ListArray, StringArray, Time64MicrosecondArray,
        TimestampMicrosecondArray,
    };
    use arrow_buffer::{NullBuffer, OffsetBuffer};
    use arrow_schema::DataType;
    use std::io::Read as _;

    fn instants(micros: &[i64]) -> TimestampMicrosecondArray {
        TimestampMicrosecondArray::from(micros.to_vec()).with_timezone("UTC")
    }

    /// Two events, with times two seconds and one second after the epoch, and `columns`.
    fn batch(columns: Vec<(Column, ArrayRef)>) -> EventBatch {
        let key = |name: &str, kind| Column { nullable: false, ..column(name, kind) };
        let keys: [(Column, ArrayRef); 2] = [
            (key("id", ColumnType::Text), Arc::new(StringArray::from(vec!["a", "b"]))),
            (key("t", ColumnType::TimestampUtc), Arc::new(instants(&[2_000_000, 1_000_000]))),
        ];
        let (columns, arrays): (Vec<_>, Vec<_>) = keys.into_iter().chain(columns).unzip();
        let schema = Arc::new(Schema::new(columns, "id", "t").unwrap());
        let records = RecordBatch::try_new(schema.to_arrow(), arrays).unwrap();
        EventBatch::try_new(schema, records).unwrap()
    }

    fn column(name: &str, kind: ColumnType) -> Column {
        Column { name: name.to_owned(), kind, source_type: None, nullable: true }
    }

    fn encode(batches: &[EventBatch]) -> (Vec<u8>, EncodedFile) {
        let mut file = Vec::new();
        let mut encoder = Box::new(CsvEncoder::new(&mut file, u64::MAX));
        for batch in batches {
            encoder.write(batch).unwrap();
        }
        let described = encoder.finish().unwrap();
        (file, described)
    }

    fn text(batch: &EventBatch) -> String {
        let mut text = String::new();
        let (file, _) = encode(std::slice::from_ref(batch));
        flate2::read::MultiGzDecoder::new(file.as_slice()).read_to_string(&mut text).unwrap();
        text
    }

    /// The fields of a column with two values.
    fn fields(kind: &str, array: impl arrow_array::Array + 'static) -> [String; 2] {
        let column = Column { source_type: Some("as printed".to_owned()), ..column("c", kind.parse().unwrap()) };
        let text = text(&batch(vec![(column, Arc::new(array))]));
        let mut rows = text.lines().skip(1).map(|row| row.splitn(3, ',').nth(2).unwrap().to_owned());
        [rows.next().unwrap(), rows.next().unwrap()]
    }

    /// A column of two lists: `elements`, and NULL.
    fn list(kind: &str, elements: impl arrow_array::Array + 'static) -> ListArray {
        let schema = batch(Vec::new()).schema().columns().to_vec();
        let columns = [schema, vec![column("c", kind.parse().unwrap())]].concat();
        let arrow = Schema::new(columns, "id", "t").unwrap().to_arrow();
        let DataType::List(field) = arrow.field(2).data_type().clone() else { panic!("{kind}") };
        let offsets = OffsetBuffer::from_lengths([elements.len(), 0]);
        ListArray::new(field, offsets, Arc::new(elements), Some(NullBuffer::from(vec![true, false])))
    }

    #[test]
    fn a_record_that_readers_would_refuse_is_refused_with_its_number() {
        let halves = |bytes: usize| {
            let half = || -> ArrayRef { Arc::new(StringArray::from(vec![None, Some("x".repeat(bytes / 2))])) };
            batch(vec![(column("c", ColumnType::Text), half()), (column("d", ColumnType::Text), half())])
        };
        let rest = "b,1970-01-01T00:00:01.000000Z,,".len();
        let mut encoder = CsvEncoder::new(Vec::new(), u64::MAX);
        encoder.write(&halves(2)).unwrap();
        encoder.write(&halves((MAX_RECORD_BYTES - rest) & !1)).unwrap();
        let refused = encoder.write(&halves(MAX_RECORD_BYTES)).unwrap_err();
        assert_eq!(refused.to_string(), "event 6 of the file is longer than 64 MiB as a record of CSV");
    }

    #[test]
    fn every_type_has_its_documented_text() {
        let uuid = FixedSizeBinaryArray::try_from_iter([[0x1a; 16], *b"0123456789abcdef"].into_iter()).unwrap();
        let decimals = |values| Decimal128Array::from(values).with_precision_and_scale(12, 6).unwrap();
        let days = Date32Array::from(vec![20_148, -1]);
        let times = Time64MicrosecondArray::from(vec![1, 86_400_000_000]);
        let local = TimestampMicrosecondArray::from(vec![Some(0), None]);
        let cases = [
            (fields("text", StringArray::from(vec![Some(""), None])), ["\"\"", ""]),
            (fields("text", StringArray::from(vec!["a,b", "say \"x\"\r"])), ["\"a,b\"", "\"say \"\"x\"\"\r\""]),
            (fields("text", StringArray::from(vec![" plain ", "é"])), [" plain ", "é"]),
            (fields("json", StringArray::from(vec!["{\"a\": 1}", "1.0"])), ["\"{\"\"a\"\": 1}\"", "1.0"]),
            (fields("bool", BooleanArray::from(vec![true, false])), ["true", "false"]),
            (fields("int16", Int16Array::from(vec![Some(i16::MIN), None])), ["-32768", ""]),
            (fields("int32", Int32Array::from(vec![0, i32::MAX])), ["0", "2147483647"]),
            (fields("int64", Int64Array::from(vec![i64::MIN, 7])), ["-9223372036854775808", "7"]),
            (fields("float32", Float32Array::from(vec![0.1, f32::NAN])), ["0.1", "NaN"]),
            (fields("float64", Float64Array::from(vec![1e300, 2.0])), ["1e300", "2"]),
            (fields("decimal(12,6)", decimals(vec![2_500, -1])), ["0.002500", "-0.000001"]),
            (
                fields("timestamp(us,UTC)", instants(&[0, -1])),
                ["1970-01-01T00:00:00.000000Z", "1969-12-31T23:59:59.999999Z"],
            ),
            (fields("timestamp(us)", local), ["1970-01-01T00:00:00.000000", ""]),
            (fields("date", days), ["2025-03-01", "1969-12-31"]),
            (fields("time(us)", times), ["00:00:00.000001", "24:00:00.000000"]),
            (fields("uuid", uuid), ["1a1a1a1a-1a1a-1a1a-1a1a-1a1a1a1a1a1a", "30313233-3435-3637-3839-616263646566"]),
            (fields("binary", BinaryArray::from_vec(vec![b"\x00\xff", b""])), ["00ff", "\"\""]),
        ];
        for (fields, expected) in cases {
            assert_eq!(fields, expected);
        }
    }

    #[test]
    fn lists_are_json_arrays() {
        let text = StringArray::from(vec![Some("a\"b\n"), None, Some("")]);
        let floats = Float64Array::from(vec![1.5, f64::INFINITY]);
        let inner = list("list<int32>", Int32Array::from(vec![1, 2]));
        let cases = [
            (fields("list<text>", list("list<text>", text)), "\"[\"\"a\\\"\"b\\n\"\",null,\"\"\"\"]\""),
            (fields("list<int64>", list("list<int64>", Int64Array::from(vec![7]))), "[7]"),
            (fields("list<bool>", list("list<bool>", BooleanArray::from(vec![true, false]))), "\"[true,false]\""),
            (fields("list<float64>", list("list<float64>", floats)), "\"[1.5,\"\"Infinity\"\"]\""),
            (fields("list<date>", list("list<date>", Date32Array::from(vec![0]))), "\"[\"\"1970-01-01\"\"]\""),
            (fields("list<json>", list("list<json>", StringArray::from(vec!["{}"]))), "[{}]"),
            (fields("list<list<int32>>", list("list<list<int32>>", inner)), "\"[[1,2],null]\""),
            (fields("list<text>", list("list<text>", StringArray::from(Vec::<&str>::new()))), "[]"),
        ];
        for (fields, expected) in cases {
            assert_eq!(fields, [expected, ""]);
        }
    }

    #[test]
    fn only_costs_of_artifacts_lose_their_zeros() {
        let costs = || Decimal128Array::from(vec![2_500_000_000_000_000, 0]).with_precision_and_scale(38, 18).unwrap();
        let of_artifact = text(&batch(vec![(column("cost", COST), Arc::new(costs()))]));
        assert!(of_artifact.ends_with("00000Z,0.0025\nb,1970-01-01T00:00:01.000000Z,0\n"), "{of_artifact}");
        assert_eq!(fields("decimal(38,18)", costs())[1], "0.000000000000000000");
    }

    #[test]
    fn equal_events_make_equal_files() {
        let events = batch(Vec::new());
        let (file, encoded) = encode(&[events.clone(), events.clone()]);
        assert_eq!(encode(&[events.clone(), events]), (file.clone(), encoded.clone()));
        assert_eq!(file[..10], [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255]);
        let expected = EncodedFile {
            rows: 4,
            bytes: file.len() as u64,
            sha256: crate::Sha256::digest(&file),
            first: Some(crate::Timestamp::from_micros(1_000_000)),
            last: Some(crate::Timestamp::from_micros(2_000_000)),
            ranges: None,
        };
        assert_eq!(encoded, expected);
    }

    #[test]
    fn headers_hold_any_name() {
        let names = ["\u{feff}x", "", "a,b"];
        let values = || -> ArrayRef { Arc::new(StringArray::from(vec![None::<&str>, None])) };
        let text = text(&batch(names.map(|name| (column(name, ColumnType::Text), values())).to_vec()));
        assert!(text.starts_with("id,t,\"\u{feff}x\",\"\",\"a,b\"\na,"), "{text}");
    }

    #[test]
    fn refuses_a_batch_with_other_columns() {
        let mut encoder = CsvEncoder::new(Vec::new(), u64::MAX);
        encoder.write(&batch(Vec::new())).unwrap();
        let wider = batch(vec![(column("c", ColumnType::Bool), Arc::new(BooleanArray::from(vec![true, false])))]);
        assert!(matches!(encoder.write(&wider), Err(EncodeError::OtherSchema)));
    }

    #[test]
    fn a_file_without_events_has_no_span() {
        let (_, encoded) = encode(&[]);
        assert_eq!((encoded.rows, encoded.first, encoded.last), (0, None, None));
    }

    #[test]
    fn formulas_are_marked_as_text() {
        let texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a=1", " =1", "", "a,\"b\""];
        let written = texts.map(|text| {
            let mut out = Vec::new();
            write_safe_text(text.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        });
        let marked = ["\"'=1+1\"", "\"'+1\"", "\"'-1\"", "\"'@SUM(A1)\"", "\"'\t=1\"", "\"'\r=1\""];
        assert_eq!(written[..6], marked);
        assert_eq!(written[6..], ["a=1", " =1", "\"\"", "\"a,\"\"b\"\"\""]);
    }
}
