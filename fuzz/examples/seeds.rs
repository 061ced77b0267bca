//! Writes the seeds of the fuzz targets: `cargo run --example seeds` in `fuzz/`, after which `git diff` shows what changed.

use archive_formats::{
    Column, EventBatch, Reject, Schema, Timestamp,
    decode::copy::{CopyLayout, CopyRows},
    encode::{
        FileEncoder as _, RejectsEncoder,
        copy::HEADER,
        parquet::{Label, ParquetEncoder},
    },
};
use archive_fuzz::{encoded_csv, gzipped, independent_gunzip, schemas};
use std::{error::Error, fs, path::Path, sync::Arc};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let files = [csv(), json(), job(), conninfo(), config(), gzip(), manifest()].concat();
    for (name, bytes) in files.into_iter().chain(columnar()?) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
        fs::create_dir_all(path.parent().ok_or("a file in a folder")?)?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

type Seeds = Vec<(String, Vec<u8>)>;

fn seeds(target: &str, prefix: &[u8], contents: &[&str]) -> Seeds {
    let seed =
        |(number, content): (usize, &&str)| (format!("{target}/{number:02}"), [prefix, content.as_bytes()].concat());
    contents.iter().enumerate().map(seed).collect()
}

/// Bytes pushed at a time, and the size of a chunk, less one.
const CUT: &[u8] = &[6, 39];

fn csv() -> Seeds {
    let contents = [
        "id,timestamp,latency_ms,cost_usd,reason\nevt_1,2025-03-01T12:00:00.5+01:00,42,0.0025,\"a \"\"b\"\", c\"\n",
        "\u{feff}id,timestamp,note\r\n1,2025-03-01 00:00:00Z,a\r\n\r\n2,2025-03-01 00:00:00Z,\"b\"\r\n\n3,2025-03-01 \
         00:00:00Z,c\rd\r\r\n5,2025-03-01 00:00:00Z,\"e\r\nf\"",
        "event_id,created_at,degraded_mode,metadata\na,2025-03-31T23:59:59.999999Z,true,{}\nb,2025-04-01,no,\nc,\
         2024-02-29T00:00:00-12:00,false,\"{\"\"a\"\": 1}\"\n,2025-03-01T00:00:00Z,,\nd,yesterday,,\n",
        "\"id\",timestamp,\"a \"\"b\"\"\nc\"\n1,2025-03-01T00:00:00Z,\"x\"y\n2,2025-03-01T00:00:00Z,5\" disk\n3,4\n",
        "id,timestamp,input_tokens,cost_usd\n1,0001-01-01T00:00:00Z,1e3,-1.5e-3\n2,9999-12-31T23:59:60Z,\
         9223372036854775807,99999999999999999999.999999999999999999\n3,2025-03-01T00:00:00.1234567Z,1.0,NaN\n",
        "id,timestamp,note\n1,2025-03-01T00:00:00Z,\"never closed\n2,2025-03-01T00:00:00Z,b\n",
    ];
    seeds("csv", CUT, &contents)
}

fn json() -> Seeds {
    let deep = format!(
        "[{{\"id\":\"a\",\"timestamp\":\"2025-03-01T00:00:00Z\",\"x\":{}1{}}}]",
        "[".repeat(300),
        "]".repeat(300)
    );
    let contents = [
        r#"[{"id":"a","timestamp":"2025-03-01T00:00:00Z","latency_ms":7,"metadata":{"a":[1,"\u00e9"]}},{"id":"b"}]"#,
        "{\"id\":\"a\",\"timestamp\":\"2025-03-01T00:00:00Z\",\"cost_usd\":1.5e-3}\n{\"id\":\"b\",\"timestamp\":\
         \"2025-03-01T00:00:00Z\",\"extra\":null}\r\n\n{\"id\":1}",
        r#" {"status":"completed","count":2,"events" : [{"id":"a","timestamp":"2025-03-01T00:00:00Z","user":{"id":1}},
            {"timestamp":"2025-03-02T00:00:00Z","id":"b","degraded_mode":"true"}], "has_more": false, "next": null}"#,
        r#"{"data":[],"items":[],"total":0,"error":null}"#,
        r#"{"data":[{"id":"a","timestamp":"2025-03-01T00:00:00Z"}],"meta":{"page":1,"pages":1,"total_count":"1"}}"#,
        r#"[{"id":"a","timestamp":"2025-03-01T00:00:00Z","id":"b"},{"id":"a\ud800"},{"id":"","timestamp":"x"},7,null]"#,
        "\u{feff}[]",
        &deep,
    ];
    seeds("json", CUT, &contents)
}

fn job() -> Seeds {
    let contents = [
        r#"{"id":"exp_1","status":"completed","row_count":3,"size_bytes":40,"download_url":"/exports/exp_1/download"}"#,
        r#"{"status":"success","data":{"job_id":17,"state":"QUEUED","artifact":{"rows":"1e3","checksum":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}}}"#,
        r#"{"export":{"exportId":"a-b","status":"failed","error":{"message":"no"}},"meta":{"truncated":true,"total":9}}"#,
        r#"{"id":"..","job":{"id":null,"status":"in-progress","metadata":{"total_events":2.0}}}"#,
        r#"{"id":"e","status":"expired","result":{"url":"https://s3.example/a?X-Amz-Signature=x"},"isPartial":false}"#,
    ];
    seeds("job", b"", &contents)
}

fn conninfo() -> Seeds {
    let contents = [
        "postgres://archive@db.example:5433/keeptrusts?sslmode=verify-full&connect_timeout=5",
        "postgresql://k%40t@[::1]:1,[fe80::2]/a%2Fb?application_name=x&options=-c%20a=b",
        "postgres://%2Frun%2Fpostgresql/d?host=a,b&hostaddr=127.0.0.1,::1&port=1,2&ssl=true",
        "postgres://?host=%2Ftmp&dbname=d&target_session_attrs=prefer-standby&channel_binding=require",
        "postgres:///events\nPGHOST=db\nPGPORT=5432\nPGUSER=kt\nPGSSLMODE=prefer\nPGCONNECT_TIMEOUT=0",
        "postgres://db/e?sslrootcert=system&sslcert=%2Fc&sslkey=%2Fk&passfile=%2Fp\nPGOPTIONS=-c x=y\nPGDATABASE=e",
    ];
    seeds("conninfo", b"", &contents)
}

fn config() -> Seeds {
    let contents = [
        "archive = '/srv/archive'\nreplica = 's3://copies/${A}'\ngrace = '6h'\njobs = 2\nformat = ['parquet', 'csv']\n\
         part-size = '1GiB'\nfile-mode = '0640'\nquiet = true\nverbose = 2\n",
        "source = 'https://api.example/${SECRET}'\napi-layout = 'auto'\napi-margin = '90m'\nharmless-members = 'a, b'\n\
         rename = ['old=new']\ndrop = 'x'\nnotify = ['https://hooks.example/${SECRET}', 'healthcheck+https://hc.example/1']\n",
        "source = 'postgres://kt@db/events'\nstatement-timeout = '0s'\n[[dataset]]\nname = 'events'\n[[dataset]]\n\
         name = 'decisions'\ntable = 'ai.d'\nid-column = 'n'\ntime-column = 't'\ncolumns = 'n, t, ${A}'\n",
        "dataset = ['events', {name = 'traces', columns = ['a', 'b']}]\nrejects = 'keep'\nconflicts = \"fail\"\n\
         truncate-times = 'us'\nlevel = 'quick'\nexpect-head = '3:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'\n",
        "match = ['team=a', 'b=']\noutput = '$${HOME}/x'\ncolumns = []\npseudonymise = 'user'\n\
         pseudonym-key-file = '/etc/k'\nwhere-org = '''\n${A}'''\n",
        "part_size = '5x'\n",
    ];
    seeds("config", b"", &contents)
}

fn gzip() -> Seeds {
    // Inputs of `arbitrary`: libFuzzer finds members by itself.
    vec![("gzip/00".to_owned(), gzipped(b"id,timestamp\n")), ("gzip/01".to_owned(), vec![1; 64])]
}

fn manifest() -> Seeds {
    const MANIFEST: &str = r#"{"format":"keeptrusts-archive/1","archive":"0b2f1c1e-6a4b-4d2a-9a57-000000000001",
"sequence":2,"previous":{"sequence":1,"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
"kind":"month","dataset":"events","month":"2025-03",
"window":{"from":"2025-03-01T00:00:00.000000Z","to":"2025-04-01T00:00:00.000000Z"},
"committed_at":"2025-04-01T06:00:00.000000Z","source_clock":null,"tool":{"name":"kt-archive","version":"0.1.0"},
"source":{"type":"demo","url":"demo:","detail":{"seed":1}},
"schema":{"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","id":"id","time":"t","columns":[
{"name":"id","type":"text","source_type":null,"nullable":false},
{"name":"t","type":"timestamp(us,UTC)","source_type":null,"nullable":false},
{"name":"c","type":"list<decimal(38,18)>","source_type":"numeric[]","nullable":true}]},
"transforms":[{"drop":["x"]}],
"events":{"read":3,"archived":1,"outside_window":1,"duplicates":0,"conflicts":0,"rejected":1,"source_count":3,
"first":"2025-03-01T00:00:00.000000Z","last":"2025-03-01T00:00:00.000000Z"},
"files":[{"path":"events/parquet/month=2025-03/part-00000-ba7816bf8f01cfea.parquet","format":"parquet","rows":1,"bytes":9,
"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","first":"2025-03-01T00:00:00.000000Z",
"last":"2025-03-01T00:00:00.000000Z"},{"path":"r","format":"rejects","rows":1,"bytes":9,
"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","first":null,"last":null}],
"archive_sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#;
    let document =
        r#"{"format":"keeptrusts-archive/1","archive":"0b2f1c1e","created_at":"2025-04-01T06:00:00.000000Z"}"#;
    seeds("manifest", b"", &[MANIFEST, document])
}

/// Files of an archive, and rows of a COPY.
fn columnar() -> Result<Seeds> {
    let mut seeds = Vec::new();
    for (number, schema) in schemas().iter().enumerate() {
        let kind = u8::try_from(number)?;
        let batch = events(schema)?;
        let mut file = Vec::new();
        let label = Label { archive: "a".to_owned(), dataset: "events".parse()?, month: "2025-03".parse()? };
        let mut encoder = Box::new(ParquetEncoder::new(&mut file, label, u64::MAX));
        encoder.write(&batch)?;
        encoder.finish()?;
        seeds.push((format!("hostile_archive/parquet-{number}"), [&[0, kind, 1, 200][..], &file].concat()));
        let text = encoded_csv([&batch]);
        let header = text.iter().position(|byte| *byte == b'\n').ok_or("a header")? + 1;
        for csv in 2..=4 {
            let seed = [&[csv, kind, 10, 30][..], &text[header..]].concat();
            seeds.push((format!("hostile_archive/csv-{csv}-{number}"), seed));
        }
        seeds.push((format!("hostile_archive/csv-5-{number}"), [&[5, kind, 0, 255][..], &gzipped(&text)].concat()));
    }
    let mut file = Vec::new();
    let mut encoder = Box::new(RejectsEncoder::new(&mut file, u64::MAX));
    let reject =
        |row: &[u8]| Reject { file: None, line: 3, column: None, reason: "no id".to_owned(), row: row.to_vec() };
    encoder.write(&reject(b"a,b"))?;
    encoder.write(&reject(b"\xff"))?;
    encoder.finish()?;
    let lines = independent_gunzip(&file).ok_or("gzip")?.concat();
    seeds.push(("hostile_archive/rejects".to_owned(), [&[6, 0, 0, 0][..], &lines].concat()));
    seeds.push(("hostile_archive/artifact".to_owned(), [&[7, 0, 0, 0][..], &gzipped(b"id,timestamp\n")].concat()));
    seeds.extend(archived());
    seeds.extend(copied());
    seeds.push(("chain/00".to_owned(), vec![0; 200]));
    seeds.push(("chain/01".to_owned(), (0..=255).collect()));
    Ok(seeds)
}

/// Three rows of each type of column, made by the decoder of COPY's rows.
fn events(schema: &Arc<Schema>) -> Result<EventBatch> {
    let (id, time) = (&schema.columns()[0], &schema.columns()[1]);
    // A COPY has no lists of lists: their column is NULL.
    let replaced = |column: &Column| {
        let is_nested = column.kind.to_string().starts_with("list<list<");
        if is_nested {
            Column { kind: "list<int32>".parse().unwrap_or(column.kind.clone()), ..column.clone() }
        } else {
            column.clone()
        }
    };
    let readable = Schema::new(schema.columns().iter().map(replaced).collect(), &id.name, &time.name)?;
    let layout = CopyLayout::new(readable)?;
    let mut rows = CopyRows::new(1 << 20);
    for number in 1..=3_u8 {
        rows.push(&row(layout.schema(), number))?;
    }
    let batch = layout.decode(&rows)?.batch.ok_or("events")?;
    let arrow = schema.to_arrow();
    let columns = batch.records().columns().iter().zip(arrow.fields()).map(|(array, field)| {
        if array.data_type() == field.data_type() {
            Arc::clone(array)
        } else {
            arrow_array::new_null_array(field.data_type(), 3)
        }
    });
    let records = arrow_array::RecordBatch::try_new(arrow.clone(), columns.collect())?;
    Ok(EventBatch::try_new(Arc::clone(schema), records)?)
}

/// A row of a binary COPY.
fn row(schema: &Schema, number: u8) -> Vec<u8> {
    let columns = schema.columns();
    let mut row = u16::try_from(columns.len()).unwrap_or_default().to_be_bytes().to_vec();
    for (index, column) in columns.iter().enumerate() {
        let value = if index > 1 && number == 2 { None } else { Some(value(&column.kind.to_string(), number)) };
        row.extend(value.as_ref().map_or(-1, |value| i32::try_from(value.len()).unwrap_or_default()).to_be_bytes());
        row.extend(value.unwrap_or_default());
    }
    row
}

fn value(kind: &str, number: u8) -> Vec<u8> {
    let since_2000 = "2025-03-01T00:00:00Z".parse().map_or(0, Timestamp::as_micros) - 946_684_800_000_000;
    match kind {
        "text" => format!("text \"{number}\",").into_bytes(),
        "json" => format!("{{\"n\": {number}}}").into_bytes(),
        "bool" => vec![number % 2],
        "int16" => i16::from(number).to_be_bytes().to_vec(),
        "int32" => i32::from(number).to_be_bytes().to_vec(),
        "int64" => i64::from(number).to_be_bytes().to_vec(),
        "float32" => f32::from(number).to_be_bytes().to_vec(),
        "float64" => (f64::from(number) / 3.0).to_be_bytes().to_vec(),
        "date" => 9_190_i32.to_be_bytes().to_vec(),
        "time(us)" => (i64::from(number) * 1_000_000).to_be_bytes().to_vec(),
        "uuid" => vec![number; 16],
        "binary" => vec![0xff, number],
        kind if kind.starts_with("timestamp") => {
            (since_2000 + i64::from(number) * 86_400_000_000).to_be_bytes().to_vec()
        }
        kind if kind.starts_with("decimal") => {
            [1, 0, 0, 0, u16::from(number)].iter().flat_map(|part| part.to_be_bytes()).collect()
        }
        kind => {
            let element = value(kind.trim_start_matches("list<").trim_end_matches('>'), number);
            let head = [1, 0, 25, 1, 1, i32::try_from(element.len()).unwrap_or_default()];
            [head.map(i32::to_be_bytes).concat(), element].concat()
        }
    }
}

/// Records of archived CSV files, after the bytes of their types.
fn archived() -> Seeds {
    let all = "a,2025-03-01T00:00:00.000000Z,x,{},true,1,2,3,0.5,1e300\n";
    let lists = "a,2025-03-01T00:00:00.000000Z,\"[\"\"a\"\", null]\",[],[1.5],\\x00ff,00000000-0000-0000-0000-000000000000,12:00:00,2025-03-01,\n";
    vec![
        ("archived_csv/00".to_owned(), [CUT, &[5, 2, 24, 1, 2, 3, 4, 5, 6, 7, 0], all.as_bytes()].concat()),
        ("archived_csv/01".to_owned(), [CUT, &[5, 2, 18, 19, 20, 17, 16, 15, 14, 8, 0], lists.as_bytes()].concat()),
        (
            "archived_csv/02".to_owned(),
            [CUT, &[1, 1, 0], b"00000000-0000-0000-0000-000000000000,2025-03-01T00:00:00.5\n"].concat(),
        ),
    ]
}

fn copied() -> Seeds {
    let kinds: [(&[u8], &str); 3] = [
        (&[6, 3, 24, 1, 2, 5, 7, 8], "text timestamp(us,UTC) text json bool int64 float64 decimal(38,18)"),
        (
            &[1, 1, 18, 19, 20, 21, 23],
            "uuid timestamp(us) list<text> list<int32> list<float64> list<decimal(9,3)> list<date>",
        ),
        (&[2, 1, 14, 15, 16, 17, 6], "int16 timestamp(us) date time(us) uuid binary float32"),
    ];
    let mut seeds = vec![("copy/signature".to_owned(), HEADER.to_vec())];
    for (number, (bytes, names)) in kinds.into_iter().enumerate() {
        let columns = names.split(' ').enumerate().map(|(number, kind)| Column {
            name: format!("c{number}"),
            kind: kind.parse().unwrap_or(archive_formats::ColumnType::Text),
            source_type: None,
            nullable: true,
        });
        let Ok(schema) = Schema::new(columns.collect(), "c0", "c1") else { continue };
        let mut seed = [bytes, &[0, 1]].concat();
        for number in 1..=3 {
            let row = row(&schema, number);
            seed.extend(u16::try_from(row.len()).unwrap_or_default().to_be_bytes());
            seed.extend(row);
        }
        seeds.push((format!("copy/{number:02}"), seed));
    }
    seeds
}
