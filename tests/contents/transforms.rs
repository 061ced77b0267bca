//! Columns that are dropped, selected, pseudonymised or renamed.

use crate::support::{
    archive::{Row, files},
    cli::Outcome,
    events::{self, COLUMNS},
    foreign::verify,
    script::Script,
    world::World,
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _};

const MONTH: &str = "2025-03";

/// A key as `openssl rand -hex 32` prints it.
const KEY: &str = "canary9c0e1f6f77f332ae4b1d5f3a2c7e8d90112233445566778899aabbccdd\n";

fn world() -> World {
    World::new(Script::new(events::month(MONTH, 20)))
}

fn run(world: &World, flags: &[&str]) -> Outcome {
    world.run(&[&["run", "--month", MONTH, "--json"], flags].concat())
}

/// Writes a key file with this mode and returns its path.
fn key_file(world: &World, content: &str, mode: u32) -> String {
    let path = world.host.path("key");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.display().to_string()
}

/// The columns of the month, in their order.
fn columns(world: &World) -> Vec<String> {
    let manifest = world.archive().month(MONTH);
    let columns = manifest["schema"]["columns"].as_array().unwrap().iter();
    columns.map(|column| column["name"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_sound(world: &World) {
    world.archive().check();
    world.run(&["verify"]).expect(0);
    assert_eq!(verify(&world.archive())["findings"], json!([]));
}

fn by_id(rows: Vec<Row>) -> std::collections::BTreeMap<String, Row> {
    rows.into_iter().map(|row| (row["id"].clone(), row)).collect()
}

#[test]
fn dropped_columns_are_in_no_file() {
    let world = world();
    run(&world, &["--drop", "user_id,note", "--drop", "metadata"]).expect(0);
    let expected = COLUMNS.into_iter().filter(|name| !["user_id", "note", "metadata"].contains(name));
    assert_eq!(columns(&world), expected.collect::<Vec<_>>());
    let manifest = world.archive().month(MONTH);
    assert_eq!(manifest["transforms"], json!([{"name": "drop", "columns": ["user_id", "note", "metadata"]}]));
    for file in files(&manifest) {
        let bytes = fs::read(world.archive().path(file["path"].as_str().unwrap())).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"user_id"), "{file}");
    }
    assert_sound(&world);
}

#[test]
fn selected_columns_keep_source_order_with_id_and_time() {
    let world = world();
    run(&world, &["--columns", "model,decision"]).expect(0);
    assert_eq!(columns(&world), ["id", "timestamp", "decision", "model"]);
    assert_eq!(
        world.archive().month(MONTH)["transforms"],
        json!([{"name": "columns", "columns": ["model", "decision"]}])
    );
    assert_sound(&world);
}

#[test]
fn pseudonyms_are_equal_for_equal_values_only() {
    let (plain, world) = (world(), world());
    run(&plain, &[]).expect(0);
    let key = key_file(&world, KEY, 0o600);
    let flags = ["--pseudonymise", "user_id,input_tokens", "--pseudonym-key-file", &key, "-vv"];
    let outcome = run(&world, &flags).expect(0);
    assert!(!outcome.output().contains("canary"), "{}", outcome.output());
    let (before, after) = (by_id(plain.archive().rows(MONTH)), by_id(world.archive().rows(MONTH)));
    for (id, row) in &after {
        assert_eq!(row["user_id"], hmac(&before[id]["user_id"]), "{id}");
        assert_eq!(row["input_tokens"], hmac(&before[id]["input_tokens"]), "{id}");
        assert_eq!(row["model"], before[id]["model"], "{id}");
    }
    let manifest = world.archive().month(MONTH);
    let key_id = hmac("kt-archive pseudonym key")[..16].to_owned();
    let expected = json!([{"name": "pseudonymise", "columns": ["user_id", "input_tokens"], "key_id": key_id}]);
    assert_eq!(manifest["transforms"], expected);
    assert_sound(&world);
}

/// HMAC-SHA-256 (RFC 2104) with the 64-byte key of the tests.
fn hmac(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let key = KEY.trim_end().bytes();
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key.clone()).for_each(|(pad, key)| *pad ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    crate::support::archive::sha256(&[&pad(0x5c)[..], &inner].concat())
}

#[test]
fn transforms_combine_and_are_recorded_in_order() {
    let mut world = world();
    let key = key_file(&world, KEY, 0o600);
    let config = format!("drop = ['note']\nrename = ['user_id=person']\npseudonym-key-file = '{key}'\n");
    fs::write(world.host.path("config.toml"), config).unwrap();
    world.host.set("KT_ARCHIVE_CONFIG", world.host.path("config.toml").display().to_string());
    world.host.set("KT_ARCHIVE_PSEUDONYMISE", "user_id");
    run(&world, &["--rename", "user_id=who,cost_usd=cost,model=total_tokens"]).expect(0);
    let manifest = world.archive().month(MONTH);
    let transforms = manifest["transforms"].as_array().unwrap();
    assert_eq!(transforms.iter().map(|it| &it["name"]).collect::<Vec<_>>(), ["drop", "pseudonymise", "rename"]);
    assert_eq!(transforms[2]["columns"], json!({"user_id": "who", "cost_usd": "cost", "model": "total_tokens"}));
    assert!(world.archive().rows(MONTH).iter().all(|row| row["who"].len() == 64 && row.contains_key("cost")));
    assert_sound(&world);
}

#[test]
fn wrong_usage_exits_with_2_before_any_request() {
    let world = world();
    let key = key_file(&world, KEY, 0o600);
    let key = key.as_str();
    for flags in [
        &["--columns", "model", "--drop", "note"][..],
        &["--drop", ""],
        &["--rename", "model"],
        &["--rename", "=model"],
        &["--rename", "model="],
        &["--rename", "model=a,model=b"],
        &["--rename", "model=a,note=a"],
        &["--rename", "model=MONTH"],
        &["--drop", "note", "--rename", "note=remark"],
        &["--pseudonymise", "user_id"],
        &["--pseudonym-key-file", key],
        &["--pseudonymise", "user_id", "--pseudonym-key-file", "./missing"],
        &["--drop", "note", "--format", "artifact"],
        &["--columns", "note", "--format", "parquet,artifact"],
        &["--drop", "note", "--rejects", "keep"],
        &["--pseudonymise", "user_id", "--pseudonym-key-file", key, "--rejects", "keep"],
        &["--rejects", "drop"],
    ] {
        let outcome = run(&world, flags).expect(2);
        assert!(outcome.json()["error"]["message"].is_string(), "{flags:?}");
    }
    assert_eq!(world.platform.jobs(), 0);
}

#[test]
fn key_file_readable_by_others_is_refused() {
    let world = world();
    for mode in [0o644, 0o604, 0o660] {
        let key = key_file(&world, KEY, mode);
        let outcome = run(&world, &["--pseudonymise", "user_id", "--pseudonym-key-file", &key]).expect(2);
        assert_eq!(outcome.json()["error"]["hint"], format!("chmod 600 {key}"));
        assert!(!outcome.output().contains("canary"), "{}", outcome.output());
    }
    let key = key_file(&world, "\n", 0o600);
    run(&world, &["--pseudonymise", "user_id", "--pseudonym-key-file", &key]).expect(2);
    let key = key_file(&world, "short", 0o600);
    let outcome = run(&world, &["--pseudonymise", "user_id", "--pseudonym-key-file", &key]).expect(0);
    assert!(outcome.stderr.contains("32 bytes"), "{}", outcome.stderr);
}

#[test]
fn mistyped_column_commits_nothing() {
    let world = world();
    for flags in [["--drop", "userid"], ["--columns", "userid"], ["--rename", "userid=user"]] {
        let outcome = run(&world, &flags).expect(2).json();
        let hint = outcome["months"][0]["error"]["hint"].as_str().unwrap().to_owned();
        assert!(COLUMNS.iter().all(|column| hint.contains(column)), "{hint}");
    }
    for flags in [["--drop", "id"], ["--rename", "timestamp=at"], ["--rename", "model=provider"]] {
        run(&world, &flags).expect(2);
    }
    world.assert_nothing_committed();
    // A known column that this month lacks is not a typing error.
    let outcome = run(&world, &["--drop", "total_tokens"]).expect(0);
    assert!(outcome.stderr.contains("total_tokens"), "{}", outcome.stderr);
}

/// Archives typed events of the demo and returns their rows.
fn typed_rows(world: &World, flags: &[&str]) -> Vec<Row> {
    run(world, &[&["--source", "demo:?types=all&events=200"], flags].concat()).expect(0);
    assert_sound(world);
    world.archive().rows(MONTH)
}

#[test]
fn types_that_readers_lack_are_archived_as_their_text() {
    let (usual, plain) = (world(), world());
    let mut rows = typed_rows(&usual, &[]);
    let mut plain_rows = typed_rows(&plain, &["--parquet-compat"]);
    for (row, plain_row) in rows.iter_mut().zip(&mut plain_rows) {
        // Its elements are strings now.
        let [json, texts] =
            [&row["answers"], &plain_row["answers"]].map(|text| serde_json::from_str::<Vec<Value>>(text));
        let texts = texts.unwrap().into_iter().map(|text| match text {
            Value::String(text) => serde_json::from_str(&text).unwrap(),
            other => other,
        });
        assert_eq!(json.unwrap(), texts.collect::<Vec<_>>());
        row.remove("answers");
        plain_row.remove("answers");
    }
    assert_eq!(rows, plain_rows);

    let kinds = |world: &World| {
        let manifest = world.archive().month(MONTH);
        let columns = manifest["schema"]["columns"].as_array().unwrap().clone();
        columns.into_iter().map(|column| column["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for kind in ["uuid", "json", "time(us)", "list<uuid>", "list<json>"] {
        let has = |world| kinds(world).iter().any(|name| name == kind);
        assert!(has(&usual) && !has(&plain), "{kind}");
    }
    assert_eq!(
        plain.archive().month(MONTH)["transforms"],
        json!([{"name": "plain-types", "types": ["uuid", "json", "time(us)"]}])
    );
}

#[test]
fn dataset_has_the_same_types_in_all_months() {
    let world = world();
    typed_rows(&world, &["--parquet-compat"]);
    let earlier = ["run", "--month", "2025-02", "--source", "demo:?types=all&events=20", "--json"];
    let outcome = world.run(&earlier).expect(5);
    assert!(outcome.output().contains("column id has the type uuid"), "{}", outcome.output());
    world.run(&[&earlier[..], &["--parquet-compat"]].concat()).expect(0);
}

#[test]
fn transform_that_an_archived_month_lacks_exits_with_2() {
    let world = world();
    run(&world, &["--drop", "note,model"]).expect(0);
    assert_eq!(run(&world, &["--drop", "model,note"]).expect(0).json()["months"][0]["state"], "already");
    // The archived month has every transform requested here.
    run(&world, &[]).expect(0);
    for (flags, lacking) in
        [(["--drop", "user_id"], "user_id"), (["--columns", "model"], "columns"), (["--rename", "model=m"], "rename")]
    {
        let outcome = run(&world, &flags).expect(2);
        assert!(outcome.output().contains(lacking), "{}", outcome.output());
    }
    let key = key_file(&world, KEY, 0o600);
    let outcome = run(&world, &["--pseudonymise", "user_id", "--pseudonym-key-file", &key]).expect(2);
    assert!(outcome.output().contains("key_id"), "{}", outcome.output());
}

#[test]
fn source_column_named_month_is_refused_until_renamed_or_dropped() {
    for (flags, expected) in [(["--rename", "Month=source_month"], "source_month"), (["--drop", "Month"], "timestamp")]
    {
        let world = World::new(Script::from_bytes("id,timestamp,Month\n1,2025-03-01T00:00:00Z,March\n"));
        let refused = run(&world, &[]).expect(6);
        assert!(refused.output().contains("--rename Month="), "{}", refused.output());
        world.assert_nothing_committed();
        run(&world, &flags).expect(0);
        assert_eq!(columns(&world).last().map(String::as_str), Some(expected));
        assert_sound(&world);
    }
}

/// Events that differ only in a dropped column are duplicates.
#[test]
fn duplicates_are_compared_by_the_archived_columns() {
    let one = events::Event::at("one", "2025-03-10T10:00:00.000000Z");
    let rows = [one.clone(), one.with("note", "seen again")];
    let world = World::new(Script::from_bytes(events::csv(&rows)));
    run(&world, &[]).expect(5);
    run(&world, &["--drop", "note"]).expect(0);
    let counts: Value = world.archive().month(MONTH)["events"].clone();
    assert_eq!((&counts["archived"], &counts["duplicates"]), (&json!(1), &json!(1)));
}
