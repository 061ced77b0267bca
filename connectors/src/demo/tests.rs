use super::*;
use archive_formats::batch::Ids;
use arrow_array::Array as _;
use futures::TryStreamExt as _;

fn window(month: &str) -> Window {
    month.parse::<Month>().unwrap().window()
}

async fn read(demo: Demo, dataset: &str, window: Window) -> (Vec<EventBatch>, SourceReport) {
    let mut items = demo.read(&dataset.parse().unwrap(), window).try_collect::<Vec<_>>().await.unwrap();
    let Some(SourceItem::Report(report)) = items.pop() else { panic!("the last item is the report") };
    let batches = items.into_iter().map(|item| match item {
        SourceItem::Batch(batch) => batch,
        other => panic!("not a batch: {other:?}"),
    });
    (batches.collect(), report)
}

fn times(batches: &[EventBatch]) -> Vec<i64> {
    batches.iter().flat_map(|batch| batch.times().values().to_vec()).collect()
}

fn ids(batches: &[EventBatch]) -> Vec<String> {
    let texts = |batch: &EventBatch| match batch.ids() {
        Ids::Text(ids) => ids.iter().map(|id| id.unwrap().to_owned()).collect::<Vec<_>>(),
        other => panic!("ids are text: {other:?}"),
    };
    batches.iter().flat_map(texts).collect()
}

#[tokio::test]
async fn events_depend_on_seed_dataset_and_month_alone() {
    let (first, report) = read(Demo::new(10_000, 7), "events", window("2025-02")).await;
    let (again, _) = read(Demo::new(10_000, 7), "events", window("2025-02")).await;
    let records = |batches: &[EventBatch]| batches.iter().map(|batch| batch.records().clone()).collect::<Vec<_>>();
    assert_eq!(records(&first), records(&again));
    assert_eq!((report.read, report.source_count, report.outside_window), (10_000, Some(10_000), 0));
    assert_eq!(report.detail, json!({"events": 10_000, "seed": 7}));
    assert_ne!(ids(&first), ids(&read(Demo::new(10_000, 8), "events", window("2025-02")).await.0));
    assert_ne!(ids(&first), ids(&read(Demo::new(10_000, 7), "traces", window("2025-02")).await.0));
    assert_ne!(ids(&first), ids(&read(Demo::new(10_000, 7), "events", window("2025-03")).await.0));
}

#[tokio::test]
async fn events_are_ordered_distinct_and_inside_the_window() {
    for month in ["1969-12", "2024-02", "2025-12", "9999-12"] {
        let (batches, _) = read(Demo::new(9_000, 1), "events", window(month)).await;
        assert_eq!(batches.iter().map(EventBatch::len).collect::<Vec<_>>(), [8192, 808]);
        let times = times(&batches);
        assert!(times.is_sorted());
        assert!(times.iter().all(|time| window(month).contains(Timestamp::from_micros(*time))));
        let ids = ids(&batches);
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
    }
}

#[tokio::test]
async fn two_parts_of_a_month_have_all_its_events() {
    let whole = window("2025-03");
    let (early, late) = whole.split_at("2025-03-17T05:06:07.123456Z".parse().unwrap()).unwrap();
    let demo = Demo::new(1_000, 3);
    let (first, report) = read(demo.clone(), "events", early).await;
    assert_eq!(report.source_count, Some(report.read));
    let (second, _) = read(demo.clone(), "events", late).await;
    let (all, _) = read(demo, "events", whole).await;
    assert_eq!([ids(&first), ids(&second)].concat(), ids(&all));
}

#[tokio::test]
async fn a_month_without_events_yields_only_a_report() {
    let (batches, report) = read(Demo::new(0, 1), "events", window("2025-03")).await;
    assert!(batches.is_empty());
    assert_eq!((report.read, report.source_count), (0, Some(0)));
}

#[tokio::test]
async fn events_have_line_breaks_quotes_and_other_scripts() {
    let (batches, _) = read(Demo::new(8_192, 1), "events", window("2025-03")).await;
    let records = batches[0].records();
    let text = |name: &str| {
        let column = records.column_by_name(name).unwrap();
        arrow_array::cast::as_string_array(column).clone()
    };
    let metadata = text("metadata");
    assert!(metadata.iter().any(|value| value.is_none()));
    assert!(metadata.iter().flatten().any(|value| value.contains('\n')));
    assert!(metadata.iter().flatten().any(|value| value.contains('"') && !value.is_ascii()));
    assert!(metadata.iter().flatten().all(|value| serde_json::from_str::<serde_json::Value>(value).is_ok()));
    let (decisions, reasons) = (text("decision"), text("reason_code"));
    assert!(decisions.iter().zip(&reasons).all(|(decision, reason)| (decision == Some("allowed")) == reason.is_none()));
}

fn typed(events: u64) -> Demo {
    Demo::from_config(Config { events, seed: 7, types: Types::All })
}

#[tokio::test]
async fn typed_events_are_those_of_the_plain_demo_in_columns_of_every_type() {
    let march = window("2025-03");
    let (plain, _) = read(Demo::new(10_000, 7), "events", march).await;
    let (batches, report) = read(typed(10_000), "events", march).await;
    assert_eq!(report.detail, json!({"events": 10_000, "seed": 7, "types": "all"}));
    assert_eq!(times(&batches), times(&plain));
    let typed_ids = batches.iter().flat_map(|batch| match batch.ids() {
        Ids::Uuid(ids) => {
            ids.iter().map(|id| uuid::Uuid::from_slice(id.unwrap()).unwrap().to_string()).collect::<Vec<_>>()
        }
        other => panic!("ids are UUIDs: {other:?}"),
    });
    assert_eq!(typed_ids.collect::<Vec<_>>(), ids(&plain));

    let schema = batches[0].schema();
    let kinds = schema.columns().iter().map(|column| column.kind.to_string()).collect::<Vec<_>>();
    for kind in "text json bool int16 int32 int64 float32 float64 decimal(12,6) decimal(38,18) timestamp(us,UTC) \
                 timestamp(us) date time(us) uuid binary list<text> list<uuid> list<json>"
        .split_whitespace()
    {
        assert!(kinds.iter().any(|name| name == kind), "no column of type {kind}");
    }
    // NULL and values in every column except the keys, and those that are never NULL in the plain demo.
    let records = batches[0].records();
    for name in ["reason_code", "risk", "session_id", "prompt_sha256", "elapsed", "metadata", "retry_ms"] {
        let nulls = records.column_by_name(name).unwrap().null_count();
        assert!(nulls > 0 && nulls < records.num_rows(), "{name}");
    }
}

#[tokio::test]
async fn part_of_a_typed_month_has_the_same_values() {
    let whole = window("2025-03");
    let (early, late) = whole.split_at("2025-03-17T05:06:07.123456Z".parse().unwrap()).unwrap();
    let (all, _) = read(typed(1_000), "events", whole).await;
    let (first, _) = read(typed(1_000), "events", early).await;
    let (second, _) = read(typed(1_000), "events", late).await;
    let (all, first, second) = (all[0].records(), first[0].records(), second[0].records());
    assert_eq!(all.slice(0, first.num_rows()), *first);
    assert_eq!(all.slice(first.num_rows(), second.num_rows()), *second);
    let (none, report) = read(typed(0), "events", whole).await;
    assert_eq!((none.len(), report.read), (0, 0));
}
