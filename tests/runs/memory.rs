//! Memory use does not grow with the size of a month.

use crate::support::{
    cli::Host,
    events,
    http::Generator,
    script::{Artifact, Script},
    world::World,
};
use chrono::{DateTime, Utc};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    sync::Arc,
    thread,
    time::Duration,
};

const EVENTS: u32 = 2_000_000;

/// Lower bound of the size of the CSV artifact, in bytes.
const ARTIFACT: u64 = 1_100_000_000;

/// Limit of a process' peak memory, in KiB.
const LIMIT: u64 = 256 << 10;

#[test]
fn two_million_events_are_processed_within_256_mib() {
    let artifact = Artifact::Generated(Arc::new(|_, _| rows()));
    let world = World::new(Script { artifact, ..Script::new(Vec::new()) });
    let peak = assert_within_the_limit(&world.host, &["run", "--month", "2025-03", "--json"], 0);
    let month = world.archive().month("2025-03");
    assert_eq!(month["events"]["archived"], EVENTS);
    let artifact = month["source"]["detail"]["jobs"][0]["artifact_bytes"].as_u64().unwrap();
    assert!(artifact > ARTIFACT, "the artifact has only {artifact} bytes");
    println!("{EVENTS} events, {} MB of CSV: archived with {} MiB", artifact / 1_000_000, peak >> 10);
    assert_within_the_limit(&world.host, &["verify", "--json"], 0);
    for format in ["csv", "parquet"] {
        let range = ["pull", "--from", "2025-03", "--to", "2025-04", "--output", "slice", "--force"];
        assert_within_the_limit(&world.host, &[&range[..], &["--format", format]].concat(), 0);
    }
}

/// Files with many columns, with long rows and with one event repeated, up to the limits and beyond.
#[test]
fn extreme_files_are_archived_or_refused_within_256_mib() {
    let host = Host::new();
    let place = host.path("archive").display().to_string();
    for (name, header, rows, code) in [
        ("columns", names(600), 12_000, 0),
        ("too many columns", names(601), 1, 6),
        ("long rows", names(3), 24, 0),
        ("a row that is too long", names(3), 1, 6),
        ("repetitions", names(3), 3_200_000, 5),
    ] {
        let mut file = BufWriter::new(File::create(host.path("rows.csv")).unwrap());
        writeln!(file, "{header}").unwrap();
        for row in 0..rows {
            let (id, month) = if name == "repetitions" { (0, 3) } else { (row, 3 + 2 * row / (rows + 1)) };
            write!(file, "{id},2025-0{month}-05T10:00:00Z,").unwrap();
            match name {
                "columns" => (0..597).try_for_each(|column| write!(file, "{},", (column * 7 + row) % 1_000)),
                "long rows" => file.write_all(&vec![b'a' + u8::try_from(row).unwrap(); (4 << 20) - 40]),
                "a row that is too long" => file.write_all(&vec![b'a'; 4 << 20]),
                _ => Ok(()),
            }
            .unwrap();
            writeln!(file).unwrap();
        }
        drop(file);
        let archive = format!("{place} of {name}");
        let to = if code == 0 { "2025-04" } else { "2025-03" };
        let backfill = ["backfill", "--from", "2025-03", "--to", to, "--source", "rows.csv"];
        let options = ["--format", "parquet,csv", "--archive", &archive];
        let peak = assert_within_the_limit(&host, &[&backfill[..], &options].concat(), code);
        println!("{name}: {} MiB", peak >> 10);
    }
}

/// A header with this many columns.
fn names(columns: u32) -> String {
    (3..columns).fold("id,timestamp,note".to_owned(), |names, column| format!("{names},c{column}"))
}

/// Runs `command`, asserts its exit code and its peak memory, and returns the latter in KiB.
#[track_caller]
fn assert_within_the_limit(host: &Host, command: &[&str], code: i32) -> u64 {
    let mut running = host.start(command);
    let mut peak = 0;
    while running.is_running() {
        // `/proc` has no value once the process has ended.
        peak = peak.max(peak_memory(running.id()).unwrap_or(0));
        thread::sleep(Duration::from_millis(20));
    }
    running.wait().expect(code);
    assert!(peak < LIMIT, "{} needs {} MiB", command[0], peak >> 10);
    peak
}

/// Peak resident memory of a process (`VmHWM`), in KiB.
fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Rows of March, generated while they are sent.
fn rows() -> Generator {
    let start = events::start_of("2025-03");
    let step = chrono::TimeDelta::days(31) / i32::try_from(EVENTS).unwrap();
    Arc::new(move |writer| {
        writer.write_all(&events::header())?;
        (0..EVENTS).try_for_each(|number| write_row(writer, number, start + step * i32::try_from(number).unwrap()))
    })
}

fn write_row(writer: &mut dyn Write, number: u32, time: DateTime<Utc>) -> std::io::Result<()> {
    let decision = ["allowed", "blocked", "redacted"][number as usize % 3];
    let spread = u64::from(number) * 2_654_435_761 % 1_000_003;
    let time = events::written(time);
    write!(
        writer,
        "evt_{spread:07}{number:08x},{time},{decision},\"[{{\"\"name\"\":\"\"pii\"\",\"\"ms\"\":{}}}]\"",
        spread % 50
    )?;
    write!(writer, ",gpt-4o,openai,gw_{},user_{}", spread % 7, spread % 4999)?;
    write!(writer, ",{},{},0.{spread:06},{},", spread % 4000, spread % 900, spread % 9000)?;
    // Metadata with repeated keys and distinct values, as in real events.
    write!(writer, "\"{{\"\"region\"\":\"\"eu-central-{}\"\"", spread % 4)?;
    for key in ["session", "request", "trace", "prompt", "response", "client", "model", "policy", "gateway", "tool"] {
        let value = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ key.len() as u64;
        write!(writer, ",\"\"{key}\"\":\"\"{value:016x}{:016x}\"\"", value.rotate_left(29))?;
    }
    write!(writer, "}}\",\r\n")
}
