//! Property tests of JSON artifacts.

use super::*;

/// Any JSON value.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "(\\PC|[\"\\\\\n\0]){0,40}".prop_map(Value::from),
        (-999..999_i64).prop_map(|number| Value::from(number.to_string())),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((".{0,5}", inner), 0..5).prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

fn any_record() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        6 => prop::sample::select(&["model", "user", "metadata", "degraded_mode", "latency_ms", "extra", "x", "y"][..])
            .prop_map(str::to_owned),
        1 => "(\\PC|[\"\\\\\n]){0,6}",
    ];
    let members = prop::collection::vec((name, any_value()), 0..8);
    ("\\PC{1,9}", members, 0..9_usize).prop_map(|(id, mut members, place)| {
        members.insert(place.min(members.len()), ("timestamp".to_owned(), "2025-03-01T00:00:00Z".into()));
        members.push(("id".to_owned(), id.into()));
        members.into_iter().filter(|(name, _)| name != "month").collect()
    })
}

/// The expected value of a column; an error if the record should be rejected.
fn expected(name: &str, value: &Value) -> Result<Option<String>, ()> {
    let is_text = matches!(name, "id" | "model" | "user");
    let printed = match value {
        Value::Null => return Ok(None),
        Value::Array(_) | Value::Object(_) if is_text => return Ok(None),
        Value::String(text) if is_text || matches!(name, "latency_ms" | "degraded_mode") => text.clone(),
        value => value.to_string(),
    };
    match name {
        "latency_ms" => whole_number(&printed).map(|number| Some(number.to_string())).ok_or(()),
        "degraded_mode" if printed.parse::<bool>().is_err() => Err(()),
        _ => Ok(Some(printed)),
    }
}

/// The value of a whole number as JSON prints it: `7`, `7.0` or `7e3`.
fn whole_number(text: &str) -> Option<i64> {
    let text = text.to_ascii_lowercase();
    let (number, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (integer, decimals) = number.split_once('.').unwrap_or((number, ""));
    let decimals = decimals.trim_end_matches('0');
    let zeros = exponent.parse::<usize>().ok()?.checked_sub(decimals.len())?;
    format!("{integer}{decimals}{:0<zeros$}", "").parse().ok()
}

/// The text of a cell.
fn cell(records: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = records.column_by_name(name)?;
    column.is_valid(row).then(|| match name {
        "latency_ms" => column.as_primitive::<Int64Type>().value(row).to_string(),
        "degraded_mode" => column.as_boolean().value(row).to_string(),
        _ => column.as_string::<i32>().value(row).to_owned(),
    })
}

const COLUMNS: [&str; 6] = ["id", "model", "user", "metadata", "degraded_mode", "latency_ms"];

/// Valid, malformed and random lines.
fn any_lines() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => any_record().prop_map(|record| format!("{}\n", Value::from(record)).into_bytes()),
        1 => Just(format!("{EVENT}\r\n\n").into_bytes()),
        1 => Just(b"{\"id\":\"\xff\",\"timestamp\":\"2025-03-01T00:00:00Z\"}\n".to_vec()),
        1 => Just(b"{\"id\":\"\",\"model\":{}}\n[\n".to_vec()),
        2 => "[\\[\\]{}\",:\\\\\n a1\x1e]{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| [EVENT.as_bytes(), b"\n", &pieces.concat()].concat())
}

/// An array of valid and malformed elements that keep its end visible, with or without an envelope.
fn any_list() -> impl Strategy<Value = Vec<u8>> {
    let element = prop_oneof![
        4 => any_record().prop_map(|record| Value::from(record).to_string().into_bytes()),
        1 => any_record().prop_map(|record| serde_json::to_vec_pretty(&record).unwrap()),
        1 => any_value().prop_map(|value| value.to_string().into_bytes()),
        1 => Just(b"{\"id\":\"\xff\",\"timestamp\":\"2025-03-01T00:00:00Z\"}".to_vec()),
        2 => "[ a:1\n]{0,9}|\\{\"[a,]*\"\\]|\\[\\{a,\\\\,b\\}\\}".prop_map(String::into_bytes),
    ];
    let list = prop::collection::vec(element, 0..20)
        .prop_map(|elements| [b"[", EVENT.as_bytes(), b",", &elements.join(&b','), b"]"].concat());
    (list, any::<bool>()).prop_map(|(list, is_enveloped)| {
        let (before, after) = (br#"{"a\"":[{"events":[]}],"events" : "#, br#", "b":{"type":"]"}} "#);
        if is_enveloped { [before.as_slice(), &list, after].concat() } else { list }
    })
}

proptest! {
    #[test]
    fn members_round_trip(records in prop::collection::vec(any_record(), 1..12), pretty: bool) {
        let json = if pretty { serde_json::to_string_pretty(&records) } else { serde_json::to_string(&records) }.unwrap();
        let all = decode(&json);
        let is_good = |record: &&Map<_, _>| record.iter().all(|(name, value)| expected(name, value).is_ok());
        let good = records.iter().filter(is_good).collect::<Vec<_>>();
        prop_assert_eq!((count(&all), all.rejects.len()), (good.len(), records.len() - good.len()));
        for (row, record) in good.into_iter().enumerate() {
            let batch = all.records.as_ref().unwrap();
            let mut others = record.clone();
            others.retain(|name, value| match value {
                Value::Array(_) | Value::Object(_) => name != "metadata",
                _ => name != "timestamp" && !COLUMNS.contains(&name.as_str()),
            });
            let extra = cell(batch, "extra", row).map(|text| serde_json::from_str::<Map<_, _>>(&text).unwrap());
            prop_assert_eq!(extra, Some(others).filter(|others| !others.is_empty()));
            for name in COLUMNS {
                let printed = cell(batch, name, row);
                let printed = match &printed {
                    Some(text) if name == "metadata" => Some(serde_json::from_str::<Value>(text).unwrap().to_string()),
                    _ => printed,
                };
                prop_assert_eq!(printed, record.get(name).and_then(|value| expected(name, value).unwrap()), "{}", name);
            }
        }
    }

    #[test]
    fn the_result_does_not_depend_on_chunks(
        json in prop_oneof![any_lines(), any_list()], block in 1..200_usize, chunk in 1..300_usize,
    ) {
        match (decode_in(&json, block, chunk), try_decode(&json)) {
            (Ok(all), Ok(whole)) => {
                let good = count(&all);
                prop_assert_eq!(good + all.rejects.len(), usize::try_from(all.rows).unwrap());
                prop_assert_eq!(all, whole);
            }
            (Err(error), Err(whole)) => prop_assert_eq!(error.to_string(), whole.to_string()),
            (one, other) => prop_assert!(false, "{one:?} {other:?}"),
        }
    }

    #[test]
    fn chunks_have_the_offsets_of_the_splitter(
        bom: bool, json in prop_oneof![any_lines(), any_list()], block in 1..200_usize, chunk in 1..300_usize,
    ) {
        let json = [if bom { BOM.as_slice() } else { &[] }, &json].concat();
        let mut splitter = JsonSplitter::new(chunk);
        let mut chunks = Vec::new();
        prop_assume!(json.chunks(block).try_for_each(|block| {
            splitter.push(block)?;
            chunks.extend(std::iter::from_fn(|| splitter.next_chunk()));
            Ok::<_, JsonError>(())
        }).is_ok());
        let Ok(rest) = splitter.finish() else { return Ok(()) };
        chunks.extend(rest);
        let mut at = usize::try_from(splitter.start()).unwrap();
        for chunk in chunks {
            let input = if splitter.mark(&chunk).is_some() { &chunk[1..] } else { &chunk };
            prop_assert!(json[at..].starts_with(input));
            at += input.len() + usize::from(splitter.shape() != Some(JsonShape::Lines));
        }
    }

    #[test]
    fn the_time_index_agrees_with_decoding(
        json in prop_oneof![any_lines(), any_list()], chunk in 1..300_usize,
    ) {
        let Ok((chunks, _)) = split(&json, 100, chunk) else { return Ok(()) };
        let mut names = JsonNames::default();
        for chunk in &chunks {
            names.add(chunk);
        }
        let layout = JsonLayout::new(&names, &KeyColumns::default()).unwrap();
        for chunk in chunks {
            let ((index, _), decoded) = (layout.index(&chunk), layout.decode(&chunk));
            prop_assert_eq!((index.rows, index.lines), (decoded.rows, decoded.lines));
            let mut expected = TimeIndexBuilder::default();
            let good = decoded.batch.iter().flat_map(|batch| batch.times().values().iter());
            good.for_each(|micros| expected.count(Some(Timestamp::from_micros(*micros))));
            decoded.rejects.iter().for_each(|reject| expected.count(layout.time_of(&reject.row)));
            prop_assert_eq!(index, expected.finish(decoded.lines));
        }
    }

    #[test]
    fn the_names_of_an_index_are_those_of_the_chunk(
        json in prop_oneof![any_lines(), any_list()], chunk in 1..300_usize,
    ) {
        let Ok((chunks, _)) = split(&json, 100, chunk) else { return Ok(()) };
        // Later chunks have names that the first one does not.
        let Some(names) = chunks.first().map(|first| JsonNames::from_chunk(first)) else { return Ok(()) };
        let Ok(layout) = JsonLayout::new(&names, &KeyColumns::default()) else { return Ok(()) };
        for chunk in &chunks {
            let (indexed, read) = (layout.index(chunk).1, JsonNames::from_chunk(chunk));
            prop_assert!(indexed.iter().eq(read.iter()), "{indexed:?} {read:?}");
        }
    }

    #[test]
    fn rejects_have_the_bytes_of_their_lines(lines in any_lines()) {
        let Ok(all) = try_decode(&lines) else { return Ok(()) };
        let all_lines = lines.split(|byte| *byte == b'\n').collect::<Vec<_>>();
        prop_assert_eq!(all.lines, all_lines.len() as u64 - 1);
        for reject in all.rejects {
            let index = usize::try_from(reject.line).unwrap() - 1;
            // A carriage return is part of the line end only before a line feed.
            let is_last = index + 1 == all_lines.len();
            let line = all_lines[index].strip_suffix(b"\r").filter(|_| !is_last).unwrap_or(all_lines[index]);
            prop_assert_eq!(line, reject.row);
        }
    }

    #[test]
    fn rejects_agree_with_serde_json(lines in any_lines()) {
        let Ok(all) = try_decode(&lines) else { return Ok(()) };
        let mut good = 0;
        for line in lines.split(|byte| *byte == b'\n') {
            let object = serde_json::from_slice::<Map<_, _>>(line).ok();
            good += usize::from(object.is_some_and(|object| {
                let has = |name| object.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
                has("id") && has("timestamp") && object.iter().all(|(name, value)| expected(name, value).is_ok())
            }));
        }
        prop_assert_eq!(count(&all), good);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), mixed in "[\\[\\]{}\",:\\\\\n a1utf]{0,300}") {
        let mut names = JsonNames::default();
        names.add(event(r#""a":1"#).as_bytes());
        let layout = JsonLayout::new(&names, &KeyColumns::default()).unwrap();
        for bytes in [&bytes, mixed.as_bytes(), &[b"[", mixed.as_bytes()].concat()] {
            names.add(bytes);
            let decoded = layout.decode(bytes);
            let good = decoded.batch.map_or(0, |batch| batch.len());
            prop_assert_eq!(good + decoded.rejects.len(), usize::try_from(decoded.rows).unwrap());
            drop(decode_in(bytes, 3, 20));
        }
    }
}
