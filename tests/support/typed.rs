//! Events with a column of every type of the archive.

use archive::{ArchiveRoot, month::MonthPipeline};
use archive_connectors::{EventStream, Sink, Source, SourceItem, SourceReport, clock::FixedClock, sink::Location};
use archive_formats::{
    Column, Dataset, EventBatch, FileFormat, Manifest, Schema, Timestamp, Window, decode::csv::ArchivedLayout,
    manifest::ArchiveDocument,
};
use futures::{StreamExt as _, stream};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// The month of the events.
pub(crate) const MONTH: &str = "2025-03";

/// Name, type, server type, and the CSV fields of four values. `~` means NULL, which the first four columns do not have.
pub(crate) const COLUMNS: [(&str, &str, &str, [&str; 4]); 36] = [
    (
        "id",
        "uuid",
        "uuid",
        [
            "00000000-0000-0000-0000-000000000000",
            "30313233-3435-3637-3839-616263646566",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
        ],
    ),
    (
        "at",
        "timestamp(us)",
        "timestamp without time zone",
        [
            "2025-03-01T00:00:00.000000",
            "2025-03-10T10:00:00.250000",
            "2025-03-31T23:59:59.999999",
            "2025-03-31T23:59:59.999999",
        ],
    ),
    ("small", "int16", "smallint", ["-32768", "0", "32767", "7"]),
    ("flag", "bool", "boolean", ["true", "false", "true", "false"]),
    ("text", "text", "character varying(40)", [r#""""#, "plain", "\"a,\"\"b\"\"\r\n\u{1f980}\"", "~"]),
    ("json", "json", "jsonb", ["null", r#""{""a"": [1.10, ""b""]}""#, r#""""""""#, "~"]),
    ("int", "int32", "integer", ["-2147483648", "0", "2147483647", "~"]),
    ("big", "int64", "bigint", ["-9223372036854775808", "0", "9223372036854775807", "~"]),
    ("real", "float32", "real", ["NaN", "0.1", "-3.4028235e38", "~"]),
    ("double", "float64", "double precision", ["-Infinity", "-0", "5e-324", "~"]),
    ("amount", "decimal(18,8)", "numeric(18,8)", ["-9999999999.99999999", "0.00000000", "1.50000000", "~"]),
    (
        "wide",
        "decimal(38,18)",
        "numeric(38,18)",
        ["0.000000000000000001", "2.500000000000000000", "-1.000000000000000000", "~"],
    ),
    ("whole", "decimal(38,0)", "numeric(38,0)", ["-99999999999999999999999999999999999999", "0", "10", "~"]),
    (
        "seen",
        "timestamp(us,UTC)",
        "timestamp with time zone",
        ["-4712-11-24T00:00:00.000000Z", "1969-12-31T23:59:59.999999Z", "+294246-12-31T23:59:59.999999Z", "~"],
    ),
    (
        "local",
        "timestamp(us)",
        "timestamp without time zone",
        ["0000-02-29T12:00:00.000000", "9999-12-31T23:59:59.999999", "+10000-01-01T00:00:00.000000", "~"],
    ),
    ("day", "date", "date", ["-4712-11-24", "2025-03-01", "+5874897-12-31", "~"]),
    ("clock", "time(us)", "time without time zone", ["00:00:00.000000", "11:30:00.250001", "24:00:00.000000", "~"]),
    ("uuid", "uuid", "uuid", ["30313233-3435-3637-3839-616263646566", "~", "~", "~"]),
    ("bytes", "binary", "bytea", [r#""""#, "00ff10", "7e", "~"]),
    ("texts", "list<text>", "text[]", ["[]", r#""[""a"",null,""""]""#, r#""[""say \""x\"" \\\u0001\n,]é""]""#, "~"]),
    ("jsons", "list<json>", "jsonb[]", ["[]", r#""[{""a"": [1, ""],""]},null]""#, "[1.50]", "~"]),
    ("flags", "list<bool>", "boolean[]", ["[]", r#""[true,null,false]""#, "[null]", "~"]),
    ("smalls", "list<int16>", "smallint[]", ["[]", r#""[-32768,null]""#, "[7]", "~"]),
    ("ints", "list<int32>", "integer[]", ["[]", r#""[-2147483648,null]""#, "[7]", "~"]),
    ("bigs", "list<int64>", "bigint[]", ["[]", r#""[9223372036854775807,null]""#, "[7]", "~"]),
    ("reals", "list<float32>", "real[]", ["[]", r#""[0.1,null,""NaN"",-1e-7]""#, "[16777216]", "~"]),
    (
        "doubles",
        "list<float64>",
        "double precision[]",
        ["[]", r#""[0.1,""Infinity"",""-Infinity"",1e300]""#, "[-0]", "~"],
    ),
    ("amounts", "list<decimal(12,6)>", "numeric(12,6)[]", ["[]", r#""[0.000001,null]""#, "[-999999.999999]", "~"]),
    ("costs", "list<decimal(38,18)>", "numeric(38,18)[]", ["[]", "[1.500000000000000000]", "[null]", "~"]),
    (
        "seens",
        "list<timestamp(us,UTC)>",
        "timestamp with time zone[]",
        ["[]", r#""[""2025-03-01T00:00:00.000001Z"",null]""#, r#""[""-0001-01-01T00:00:00.000000Z""]""#, "~"],
    ),
    (
        "locals",
        "list<timestamp(us)>",
        "timestamp without time zone[]",
        ["[]", r#""[""2025-03-01T00:00:00.000001"",null]""#, "[null]", "~"],
    ),
    ("days", "list<date>", "date[]", ["[]", r#""[""1970-01-01"",null]""#, r#""[""+10000-01-01""]""#, "~"]),
    ("clocks", "list<time(us)>", "time without time zone[]", ["[]", r#""[""24:00:00.000000"",null]""#, "[null]", "~"]),
    ("uuids", "list<uuid>", "uuid[]", ["[]", r#""[""30313233-3435-3637-3839-616263646566"",null]""#, "[null]", "~"]),
    ("binaries", "list<binary>", "bytea[]", ["[]", r#""[""00ff"",null,""""]""#, "[null]", "~"]),
    ("grid", "list<list<int32>>", "integer[]", ["[]", r#""[[1,2],null,[]]""#, "[[null]]", "~"]),
];

/// Archives the events in `formats` into a new archive in `folder`.
pub(crate) fn archive(place: &Path, formats: &[FileFormat]) {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let location = Location::parse(&place.display().to_string(), &BTreeMap::new()).unwrap();
        let sink = Sink::open(&location).unwrap();
        let clock = FixedClock(Timestamp::from_micros(1_800_000_000_000_000));
        let identity = "0f8fad5b-d9cb-469f-a165-70867728950e".to_owned();
        let root = ArchiveRoot::create(sink, &ArchiveDocument::new::<Manifest>(identity, clock.0)).await.unwrap();
        let archive = root.read_chain().await.unwrap();
        let mut pipeline = MonthPipeline::new(archive, Arc::new(Typed), Arc::new(clock), scratch.path().to_owned());
        pipeline.formats = formats.iter().copied().collect();
        let ready = pipeline.prepare(&Dataset::default(), MONTH.parse().unwrap()).await.unwrap();
        pipeline.commit(ready).await.unwrap();
        let archive = pipeline.archive().await;
        archive.sink().complete_sums(archive.chain()).await.unwrap();
    });
}

/// The text of a CSV file with the events.
pub(crate) fn csv() -> String {
    let names = COLUMNS.map(|(name, ..)| name.to_owned());
    let rows = (0..4).map(|row| COLUMNS.map(|(.., fields)| fields[row].replace('~', "")));
    [names].into_iter().chain(rows).map(|fields| fields.join(",") + "\n").collect()
}

#[derive(Debug)]
struct Typed;

impl Typed {
    fn events() -> EventBatch {
        let columns = COLUMNS.map(|(name, kind, source_type, fields)| Column {
            name: name.to_owned(),
            kind: kind.parse().unwrap(),
            source_type: Some(source_type.to_owned()),
            nullable: fields.contains(&"~"),
        });
        let schema = Arc::new(Schema::new(columns.to_vec(), "id", "at").unwrap());
        let text = csv();
        let (layout, header) = ArchivedLayout::from_header(text.as_bytes(), &schema).unwrap();
        layout.decode(&text.as_bytes()[header..]).unwrap().unwrap()
    }
}

impl Source for Typed {
    fn kind(&self) -> &'static str {
        "typed"
    }

    fn url(&self) -> String {
        "typed:".to_owned()
    }

    fn read(&self, _: &Dataset, _: Window) -> EventStream {
        let events = Self::events();
        let report = SourceReport { read: events.len() as u64, ..SourceReport::default() };
        stream::iter([Ok(SourceItem::Batch(events)), Ok(SourceItem::Report(report))]).boxed()
    }

    fn on_committed(&self, _: &Dataset, _: Window) {}
}
