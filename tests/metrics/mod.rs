//! The metrics file, its alert rules and its dashboard.

mod examples;
mod failures;
mod runs;
mod verifications;

use crate::support::world::World;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The values of a file as written, by name and labels without the common prefix and label: `events{dataset="events"}`
/// is `kt_archive_events{archive="…",dataset="events"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Metrics(BTreeMap<String, String>);

impl Metrics {
    /// The value of a metric.
    #[track_caller]
    fn get(&self, metric: &str) -> &str {
        self.0.get(metric).unwrap_or_else(|| panic!("no {metric} in {self:#?}"))
    }

    #[track_caller]
    fn number(&self, metric: &str) -> f64 {
        self.get(metric).parse().unwrap()
    }

    #[track_caller]
    fn assert(&self, expected: &[(&str, &str)]) {
        for (metric, value) in expected {
            assert_eq!(self.get(metric), *value, "{metric} in {self:#?}");
        }
    }

    /// The names of the metrics.
    fn names(&self) -> BTreeSet<&str> {
        self.0.keys().map(|metric| metric.split('{').next().unwrap()).collect()
    }
}

/// Makes every command of the host write metrics, and returns the file.
fn watched(world: &mut World) -> PathBuf {
    let folder = world.host.path("textfiles");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("kt-archive.prom");
    world.host.set("KT_ARCHIVE_METRICS_FILE", file.display().to_string());
    file
}

/// The metrics of a file that `promtool` accepts.
#[track_caller]
fn metrics(file: &Path) -> Metrics {
    let text = fs::read_to_string(file).unwrap();
    let complaints = promtool(&["check", "metrics"], &text);
    assert_eq!(complaints, "", "promtool on\n{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = name.split_once('{').unwrap();
        let (archive, labels) = labels.split_once("\",").unwrap_or((labels, "}"));
        assert!(archive.starts_with("archive=\""), "{line}");
        let labels = if labels == "}" { String::new() } else { format!("{{{labels}") };
        (format!("{}{labels}", name.strip_prefix("kt_archive_").unwrap()), value.to_owned())
    });
    Metrics(samples.collect())
}

/// The output of `promtool` for `input`; empty if it succeeds.
#[track_caller]
fn promtool(arguments: &[&str], input: &str) -> String {
    let command = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut command = command.expect("`promtool` is needed: `tests/run` installs it");
    command.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = command.wait_with_output().unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if output.status.success() { String::new() } else { format!("{}\n{printed}", output.status) }
}
