//! A table with a column of every built-in type, and its extreme values.

use super::exact::Column;
use std::fmt::Write as _;

/// Types and extensions that the table needs.
pub(in crate::postgres) const TYPES: &str = r#"
    create type mood as enum ('happy', 'it''s "odd", isn''t it', 'ünsure');
    create type place as (name text, floor integer);
    create domain amount as numeric(10,2) check (value >= 0);
    create domain label as text;
    create domain short_label as label check (length(value) < 9);
    create domain words as text[];
"#;

/// Name, type, type in the archive, and literals.
pub(in crate::postgres) type Spec = (&'static str, &'static str, &'static str, &'static [&'static str]);

pub(super) const NUMBERS: &[Spec] = &[
    ("small", "smallint", "int16", &["-32768", "32767", "0"]),
    ("whole", "integer", "int32", &["-2147483648", "2147483647", "-1"]),
    ("big", "bigint", "int64", &["-9223372036854775808", "9223372036854775807", "9007199254740993"]),
    ("single", "real", "float32", &["0.1", "-0", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "16777217"]),
    (
        "double",
        "double precision",
        "float64",
        &[
            "0.1",
            "-0",
            "NaN",
            "Infinity",
            "-Infinity",
            "5e-324",
            "2.2250738585072014e-308",
            "1.7976931348623157e308",
            "1e16",
        ],
    ),
    (
        "cost",
        "numeric(18,8)",
        "decimal(18,8)",
        &["0", "-0.00000001", "9999999999.99999999", "1.5", "-1234567890.12345678"],
    ),
    ("tiny", "numeric(4,4)", "decimal(4,4)", &["0.0001", "-0.9999", "0.12"]),
    ("digits", "numeric(38)", "decimal(38,0)", &["99999999999999999999999999999999999999", "-1", "10000"]),
    ("fraction", "numeric(38,38)", "decimal(38,38)", &["-0.99999999999999999999999999999999999999", "0.1"]),
    ("wide", "numeric(39,1)", "text", &["99999999999999999999999999999999999999.9", "NaN", "-1.0"]),
    ("rounded", "numeric(5,-2)", "text", &["12345", "-9999900", "0"]),
    ("scaled", "numeric(3,5)", "text", &["0.00123", "-0.00999"]),
    (
        "any_number",
        "numeric",
        "text",
        &["NaN", "Infinity", "-Infinity", "1.10", "1.1", "-0.0", "1e300", "1e-300", "10000", "123456789.000000001"],
    ),
    ("price", "money", "text", &["1234.56", "-92233720368547758.08"]),
    ("object", "oid", "text", &["0", "4294967295"]),
];

pub(super) const TIMES: &[Spec] = &[
    (
        "at",
        "timestamp with time zone",
        "timestamp(us,UTC)",
        &[
            "2025-03-01 12:34:56.789012+05:30",
            "0001-01-01 00:00:00Z",
            "9999-12-31 23:59:59.999999Z",
            "1969-12-31 23:59:59.999999Z",
            "2000-01-01 00:00:00Z",
            "1600-02-29 12:00:00Z",
        ],
    ),
    (
        "at_place",
        "timestamp without time zone",
        "timestamp(us)",
        &["2025-03-30 02:30:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1999-12-31 23:59:59.999999"],
    ),
    ("at_second", "timestamp(0) with time zone", "timestamp(us,UTC)", &["2025-03-01 12:34:56.7Z"]),
    ("day", "date", "date", &["2025-03-01", "0001-01-01", "9999-12-31", "1969-12-31", "2000-02-29"]),
    ("hour", "time without time zone", "time(us)", &["00:00:00", "23:59:59.999999", "12:34:56.7"]),
    ("hour_there", "time with time zone", "text", &["12:34:56.789+05:30", "00:00:00-15:59", "24:00:00Z"]),
    (
        "span",
        "interval",
        "text",
        &["1 year 2 mons -3 days 04:05:06.789", "-1 microsecond", "178000000 years", "0", "-1 mon +1 day", "36 hours"],
    ),
];

pub(super) const TEXTS: &[Spec] = &[
    (
        "words",
        "text",
        "text",
        &[
            "",
            " ",
            "NULL",
            "\\N",
            "\"",
            "'; drop table events; --",
            "comma, \"quote\" and \\",
            "line\nfeed\r\nand\rreturn\ttab",
            "ünïcödé 🦀 \u{202e} \u{feff}",
            "\u{1}\u{1f}\u{7f}",
            "=1+1",
        ],
    ),
    ("name_of", "character varying(10)", "text", &["", "0123456789", "日本語"]),
    ("padded", "character(5)", "text", &["", "ab", "12345", " ü"]),
    ("letter", "\"char\"", "text", &["a", "", "\""]),
    ("identifier", "name", "text", &["events", "Odd \"name\""]),
    ("feeling", "mood", "text", &["happy", "it's \"odd\", isn't it", "ünsure"]),
    ("flag", "boolean", "bool", &["true", "false"]),
    ("bytes", "bytea", "binary", &["\\x", "\\x00", "\\x00ff22275c0a2c", "\\xdeadbeef"]),
    (
        "key",
        "uuid",
        "uuid",
        &[
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "0F8FAD5B-D9CB-469F-A165-70867728950E",
        ],
    ),
    (
        "stored",
        "json",
        "json",
        &["{\"b\":1,  \"a\":[1,2 ,3], \"b\":2}", "null", "\"\"", " {} ", "[1.10,\n1e2]", "\"\\u00fc\""],
    ),
    ("parsed", "jsonb", "json", &["{\"b\":1,  \"a\":[1,2 ,3], \"b\":2}", "null", "\"\"", "1.10", "{}"]),
    ("markup", "xml", "text", &["<a b=\"c\">&amp;</a>", "plain"]),
    ("net", "inet", "text", &["192.168.0.1/24", "::1", "10.0.0.1"]),
    ("block", "cidr", "text", &["192.168.0.0/24", "2001:db8::/32"]),
    ("card", "macaddr", "text", &["08:00:2B:01:02:03"]),
    ("card8", "macaddr8", "text", &["08:00:2b:01:02:03:04:05"]),
    ("eight", "bit(8)", "text", &["10101010"]),
    ("some", "bit varying", "text", &["", "101"]),
    ("range", "int4range", "text", &["[1,10)", "empty", "(,)"]),
    ("period", "tstzrange", "text", &["[2025-03-01 00:00+01,2025-03-02 00:00+01)", "(,infinity]"]),
    ("ranges", "int4multirange", "text", &["{[1,3),[5,9)}", "{}"]),
    ("home", "place", "text", &["(\"Main, \"\"St\"\"\",3)", "(,)"]),
    ("search", "tsvector", "text", &["'a':1 'fat':2,4 'it''s':3"]),
    ("find", "tsquery", "text", &["'fat' & ( 'rat' | 'cat' )"]),
    ("dot", "point", "text", &["(1.5,-2)"]),
    ("path_of", "jsonpath", "text", &["$.\"a\"[*]?(@ > 1)"]),
    ("due", "amount", "decimal(10,2)", &["0", "99999999.99", "1.5"]),
    ("tag", "label", "text", &["", "a \"label\""]),
    ("short", "short_label", "text", &["short"]),
];

pub(super) const LISTS: &[Spec] = &[
    (
        "texts",
        "text[]",
        "list<text>",
        &["{}", "{NULL}", "{NULL,\"\",a,\"NULL\",\"with \\\"quote\\\"\",\"new\nline\",ü}"],
    ),
    ("labels", "character varying(10)[]", "list<text>", &["{a,b}"]),
    ("smalls", "smallint[]", "list<int16>", &["{-32768,NULL,32767}"]),
    ("wholes", "integer[]", "list<int32>", &["{}", "{1,NULL,-2147483648}", "{NULL,NULL}"]),
    ("bigs", "bigint[]", "list<int64>", &["{9223372036854775807,9007199254740993}"]),
    ("doubles", "double precision[]", "list<float64>", &["{0.1,NaN,-Infinity,NULL,-0,1e300}"]),
    ("singles", "real[]", "list<float32>", &["{0.1,Infinity,NULL}"]),
    ("numbers", "numeric[]", "list<text>", &["{1.10,NULL,NaN,Infinity,-0.5}", "{}"]),
    ("costs", "numeric(18,8)[]", "list<decimal(18,8)>", &["{1.5,NULL,-0.00000001}", "{}"]),
    ("flags", "boolean[]", "list<bool>", &["{t,f,NULL}"]),
    ("instants", "timestamp with time zone[]", "list<timestamp(us,UTC)>", &["{2025-03-01 00:00:00.5+01,NULL}", "{}"]),
    ("moments", "timestamp without time zone[]", "list<timestamp(us)>", &["{1999-12-31 23:59:59.999999}"]),
    ("days", "date[]", "list<date>", &["{2025-03-01,NULL,1969-12-31}"]),
    ("hours", "time without time zone[]", "list<time(us)>", &["{23:59:59.999999,NULL}"]),
    ("keys", "uuid[]", "list<uuid>", &["{0f8fad5b-d9cb-469f-a165-70867728950e,NULL}"]),
    ("blobs", "bytea[]", "list<binary>", &[r#"{"\\x00ff",NULL,"\\x"}"#]),
    ("documents", "jsonb[]", "list<json>", &[r#"{"{\"a\": 1}",NULL,"\"b\""}"#]),
    ("tags", "words", "list<text>", &["{a,NULL}"]),
    ("nets", "inet[]", "list<text>", &["{192.168.0.1/24,NULL,::1,10.0.0.1}", "{}"]),
    ("blocks", "cidr[]", "list<text>", &["{192.168.0.0/24,2001:db8::/32}"]),
];

/// All columns.
pub(in crate::postgres) fn all() -> Vec<Spec> {
    [NUMBERS, TIMES, TEXTS, LISTS].concat()
}

pub(super) fn columns(specs: &[Spec]) -> Vec<Column> {
    specs.iter().map(|(name, _, archived, _)| (*name, *archived)).collect()
}

/// Statements that create the table `events`: row n has the n-th literal of each column, or NULL if there is none. In
/// the last row all are NULL.
pub(in crate::postgres) fn create(specs: &[Spec]) -> String {
    let mut sql = String::from("create table events (id bigint primary key, created_at timestamptz not null");
    for (name, declared, ..) in specs {
        write!(sql, ", \"{name}\" {declared}").unwrap();
    }
    sql.push_str(");\n");
    let rows = specs.iter().map(|(.., literals)| literals.len()).max().unwrap_or(0);
    for row in 0..=rows {
        let value = |literals: &[&str]| match literals.get(row) {
            Some(literal) => format!("'{}'", literal.replace('\'', "''")),
            None => "null".to_owned(),
        };
        let values = specs.iter().map(|(.., literals)| value(literals)).collect::<Vec<_>>().join(", ");
        writeln!(sql, "insert into events values ({row}, '2025-03-10T00:00:00Z', {values});").unwrap();
    }
    sql
}
