use super::*;
use archive_formats::{catalogue::COST, decode::csv::ArchivedLayout, encode::Texts};
use arrow_array::{
    Array as _, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray, cast::AsArray as _,
};
use proptest::{collection::vec, option, prelude::*};
use serde_json::json;

fn column(name: &str, kind: ColumnType) -> Column {
    let nullable = !["id", "time"].contains(&name);
    Column { name: name.to_owned(), kind, source_type: None, nullable }
}

fn schema() -> Arc<Schema> {
    let columns = vec![
        column("user", ColumnType::Text),
        column("id", ColumnType::Text),
        column("tokens", ColumnType::Int64),
        column("time", ColumnType::TimestampUtc),
        column("cost_usd", COST),
    ];
    Arc::new(Schema::new(columns, "id", "time").unwrap())
}

fn batch(users: &[Option<&str>]) -> EventBatch {
    let rows = i64::try_from(users.len()).unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(users.to_vec())),
        Arc::new(StringArray::from_iter_values((0..rows).map(|row| row.to_string()))),
        Arc::new(Int64Array::from_iter_values(0..rows)),
        Arc::new(TimestampMicrosecondArray::from_iter_values(0..rows).with_timezone("UTC")),
        Arc::new(
            Decimal128Array::from_iter_values((0..rows).map(i128::from)).with_precision_and_scale(38, 18).unwrap(),
        ),
    ];
    EventBatch::try_new(schema(), RecordBatch::try_new(schema().to_arrow(), columns).unwrap()).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn selecting(selection: Selection) -> Transforms {
    Transforms { selection: Some(selection), ..Transforms::default() }
}

fn pseudonymising(columns: &[&str], key: &[u8]) -> Transforms {
    let pseudonyms = Pseudonyms { columns: names(columns), key: Key::new(key) };
    Transforms { pseudonyms: Some(pseudonyms), ..Transforms::default() }
}

/// One event with a UUID as id, and UUIDs, JSON, times and numbers in lists and alone.
fn typed_event() -> EventBatch {
    let columns =
        ["id uuid", "time timestamp(us,UTC)", "json json", "clock time(us)", "number int32", "uuids list<uuid>"];
    let columns = columns.map(|text| {
        let (name, kind) = text.split_once(' ').unwrap();
        column(name, kind.parse().unwrap())
    });
    let schema = Arc::new(Schema::new(columns.to_vec(), "id", "time").unwrap());
    let text = concat!(
        "id,time,json,clock,number,uuids\n",
        "0f8fad5b-d9cb-469f-a165-70867728950e,2025-03-01T00:00:00.000000Z,[1.50],24:00:00.000000,7,",
        "\"[\"\"30313233-3435-3637-3839-616263646566\"\",null]\"\n",
        "ffffffff-ffff-ffff-ffff-ffffffffffff,2025-03-01T00:00:00.000000Z,,,,\n",
    );
    let (layout, header) = ArchivedLayout::from_header(text.as_bytes(), &schema).unwrap();
    layout.decode(&text.as_bytes()[header..]).unwrap().unwrap()
}

#[test]
fn plain_types_have_the_same_texts() {
    let transforms = Transforms { plain_types: true, ..Transforms::default() };
    let event = typed_event();
    let bound = transforms.bind(event.schema()).unwrap();
    let kinds = bound.schema().columns().iter().map(|column| column.kind.to_string()).collect::<Vec<_>>();
    assert_eq!(kinds, ["text", "timestamp(us,UTC)", "text", "text", "int32", "list<text>"]);
    let plain = bound.apply(&event).unwrap();
    for (index, column) in event.schema().columns().iter().enumerate() {
        let (was, is) = (event.records().column(index), plain.records().column(index));
        let (was, is) = (Texts::new(column, was), Texts::new(&bound.schema().columns()[index], is));
        for row in 0..2 {
            let mut texts = (Vec::new(), Vec::new());
            assert_eq!(was.get(row, &mut texts.0).unwrap(), is.get(row, &mut texts.1).unwrap(), "{}", column.name);
        }
    }
    assert_eq!(plain.records().column(2).null_count(), 1);
    assert_eq!(transforms.records(), [json!({"name": "plain-types", "types": ["uuid", "json", "time(us)"]})]);
}

#[test]
fn pseudonyms_are_those_of_the_types_of_the_source() {
    let pseudonyms = pseudonymising(&["clock"], b"key");
    let both = Transforms { plain_types: true, ..pseudonyms.clone() };
    let event = typed_event();
    let clock = |transforms: &Transforms| {
        let bound = transforms.bind(event.schema()).unwrap();
        bound.apply(&event).unwrap().records().column(3).as_string::<i32>().value(0).to_owned()
    };
    assert_eq!(clock(&both), clock(&pseudonyms));
}

fn renaming(renames: &[&str]) -> Transforms {
    let renames = renames.iter().map(|text| text.parse().unwrap()).collect();
    Transforms { renaming: Some(Renaming(renames)), ..Transforms::default() }
}

fn archived(transforms: &Transforms) -> Vec<String> {
    let bound = transforms.bind(&schema()).unwrap();
    bound.schema().columns().iter().map(|column| column.name.clone()).collect()
}

#[track_caller]
fn assert_refused(transforms: &Transforms, kind: ErrorKind, said: &str) {
    let error = transforms.bind(&schema()).unwrap_err();
    let text = format!("{error:?} {}", error.hint());
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(said), "{text}");
}

#[test]
fn columns_keep_source_order_and_key_columns_are_kept() {
    assert_eq!(archived(&selecting(Selection::Columns(names(&["tokens", "user"])))), ["user", "id", "tokens", "time"]);
    assert_eq!(archived(&selecting(Selection::Columns(names(&["id", "tokens"])))), ["id", "tokens", "time"]);
    assert_eq!(archived(&selecting(Selection::Drop(names(&["tokens", "user"])))), ["id", "time", "cost_usd"]);
    assert_eq!(archived(&renaming(&["user=person"])), ["person", "id", "tokens", "time", "cost_usd"]);
}

#[test]
fn no_transforms_leave_events_unchanged() {
    let batch = batch(&[Some("ada"), None]);
    let bound = Transforms::default().bind(batch.schema()).unwrap();
    assert_eq!(bound.schema(), batch.schema());
    assert_eq!(bound.apply(&batch).unwrap().records(), batch.records());
    assert_eq!(Transforms::default().records(), [] as [Value; 0]);
}

#[test]
fn pseudonym_is_the_hexadecimal_hmac_of_the_text() {
    let transforms = pseudonymising(&["user", "tokens", "cost_usd"], b"key");
    let batch = batch(&[Some("The quick brown fox jumps over the lazy dog"), None, Some("")]);
    let bound = transforms.bind(batch.schema()).unwrap();
    let events = bound.apply(&batch).unwrap();
    let text = |column: usize, row: usize| events.records().column(column).as_string::<i32>().value(row).to_owned();
    // The well-known HMAC example, and `printf 1 | openssl dgst -sha256 -hmac key`.
    assert_eq!(text(0, 0), "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
    assert_eq!(text(2, 1), "6da91fb91517be1f5cdcf3af91d7d40c717dd638a306157606fb2e584f7ae926");
    assert!(events.records().column(0).is_null(1) && !events.records().column(0).is_null(2));
    // Pseudonym of its CSV text: 0.000000000000000001.
    assert_eq!(text(4, 1), "7924634ce663fc05950c331d2a4e0f937f6a5fba6d2ed43f524be536aef683db");
    let kinds = bound.schema().columns().iter().map(|column| column.kind.to_string()).collect::<Vec<_>>();
    assert_eq!(kinds, ["text", "text", "text", "timestamp(us,UTC)", "text"]);
}

#[test]
fn records_transforms_in_order() {
    let transforms = Transforms {
        truncates_times: true,
        selection: Some(Selection::Drop(names(&["tokens"]))),
        pseudonyms: pseudonymising(&["user"], b"key").pseudonyms,
        renaming: renaming(&["user=person", "cost_usd=cost"]).renaming,
        ..Transforms::default()
    };
    let expected = [
        r#"{"name":"truncate-times","unit":"us"}"#,
        r#"{"name":"drop","columns":["tokens"]}"#,
        r#"{"name":"pseudonymise","columns":["user"],"key_id":"ID"}"#,
        r#"{"name":"rename","columns":{"user":"person","cost_usd":"cost"}}"#,
    ];
    let expected = expected.map(|text| text.replace("ID", Key::new(b"key").id()));
    assert_eq!(transforms.records().iter().map(Value::to_string).collect::<Vec<_>>(), expected);
    assert_eq!(archived(&transforms), ["person", "id", "time", "cost"]);
    let columns = selecting(Selection::Columns(names(&["user"]))).records();
    assert_eq!(columns, [json!({"name": "columns", "columns": ["user"]})]);
}

#[test]
fn key_is_hidden_and_its_id_distinguishes_keys() {
    let transforms = pseudonymising(&["user"], b"canary");
    let shown = format!("{transforms:?} {:?}", transforms.bind(&schema()).unwrap());
    assert!(!shown.contains("canary") && shown.contains(Key::new(b"canary").id()), "{shown}");
    assert_ne!(Key::new(b"canary").id(), Key::new(b"Canary").id());
    assert_eq!(Key::new(b"canary").id().len(), 16);
}

#[test]
fn id_and_time_are_never_changed() {
    for key in ["id", "time"] {
        for transforms in [
            selecting(Selection::Drop(names(&["user", key]))),
            pseudonymising(&[key], b"key"),
            renaming(&[&format!("{key}=other")]),
        ] {
            assert_refused(&transforms, ErrorKind::Configuration, &format!("{key:?}"));
        }
    }
}

#[test]
fn rejects_missing_columns_except_known_event_columns() {
    for transforms in [
        selecting(Selection::Columns(names(&["usr"]))),
        selecting(Selection::Drop(names(&["usr"]))),
        pseudonymising(&["usr"], b"key"),
        renaming(&["usr=person"]),
    ] {
        assert_refused(&transforms, ErrorKind::Configuration, "user, id, tokens, time, cost_usd");
    }
    assert_eq!(archived(&selecting(Selection::Drop(names(&["latency_ms", "user"])))).len(), 4);
}

#[test]
fn rejects_two_columns_with_one_name() {
    assert_refused(&renaming(&["user=tokens"]), ErrorKind::Configuration, "collide");
    let swapped = archived(&renaming(&["user=tokens", "tokens=user"]));
    assert_eq!(swapped, ["tokens", "id", "user", "time", "cost_usd"]);
}

#[test]
fn rejects_columns_named_like_partition_folders() {
    let columns = [schema().columns().to_vec(), vec![column("Month", ColumnType::Text)]].concat();
    let source = Schema::new(columns, "id", "time").unwrap();
    let error = Transforms::default().bind(&source).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(error.hint().contains("--rename Month="), "{error:?}");
    assert!(renaming(&["Month=source_month"]).bind(&source).is_ok());
    assert!(selecting(Selection::Drop(names(&["Month"]))).bind(&source).is_ok());
}

proptest! {
    /// Equal values have equal pseudonyms, and different values different ones.
    #[test]
    fn pseudonyms_are_equal_iff_values_are(users in vec(option::of("[ab]{0,2}"), 1..12)) {
        let batch = batch(&users.iter().map(Option::as_deref).collect::<Vec<_>>());
        let events = pseudonymising(&["user"], b"key").bind(batch.schema()).unwrap().apply(&batch).unwrap();
        let pseudonyms = events.records().column(0).as_string::<i32>().iter().collect::<Vec<_>>();
        for (left, one) in users.iter().zip(&pseudonyms) {
            for (right, other) in users.iter().zip(&pseudonyms) {
                prop_assert_eq!(left == right, one == other);
            }
        }
    }
}
