//! `kt-archive pull`.

use super::{
    args::PullArgs,
    outcome::Outcome,
    session::{Opened, Session},
    signals::Signals,
};
use archive::{
    config::{Config, EventFormat},
    pull::{self, PullRequest},
    units::{List, Switch},
};
use archive_connectors::{Error, ErrorKind, Result, clock::SystemClock, nearest::nearest};
use archive_formats::{Dataset, FileFormat, Month, Timestamp, Window, encode::slice::SliceFormat};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// The `--output` that is standard output.
const STDOUT: &str = "-";

pub(super) async fn pull(args: PullArgs, json: bool, session: Session) -> Result<Outcome> {
    let window = Window::new(args.from, args.to)
        .map_err(|error| invalid(&error.to_string()).with_hint(half_open(args.from, args.to)))?;
    let opened = session.open_pulling()?;
    let request = request(&opened, window, session.is_typed("format"))?;
    let (settings, observer) = (&opened.settings, opened.screen.observer());
    let to_stdout = request.output.as_os_str() == STDOUT;
    if to_stdout && json {
        return Err(invalid("--output - and --json would both write to standard output")
            .with_hint("leave --json out, or name a file with --output"));
    }
    let signals = Signals::listen()?;
    let result = if to_stdout {
        let work = pull::pull_unnamed(settings, &request, &SystemClock, observer);
        signals.abort_on_signal(Box::pin(work)).await.map(|(report, slice)| (report, Some(slice)))
    } else {
        let work = pull::pull(settings, &request, &SystemClock, observer);
        signals.abort_on_signal(Box::pin(work)).await.map(|report| (report, None))
    };
    opened.screen.close();
    let (report, slice) = result?;
    Ok(Outcome { slice, is_quiet: settings.output.quiet, ..Outcome::new(&report, session.results) })
}

/// Why a range has no instant: a month or a date as its end means its beginning.
fn half_open(from: Timestamp, to: Timestamp) -> String {
    const RULE: &str = "--from is the first instant of the slice, --to the first one after it";
    let Ok(month) = Month::containing(from) else { return RULE.to_owned() };
    if from == to && from == month.window().from() {
        return format!("{RULE}: all of {month} ends with --to {}-01", month.next());
    }
    RULE.to_owned()
}

fn request(opened: &Opened, window: Window, is_format_typed: bool) -> Result<PullRequest> {
    let Config { r#match, columns, format, output, force, allow_gaps, csv_safe, .. } = opened.config.clone();
    let is_on = |switch: Option<Switch>| switch.is_some_and(|on| on.0);
    let output = output_path(output)?;
    let request = PullRequest {
        dataset: dataset(&opened.settings.datasets)?,
        window,
        conditions: r#match.map(|conditions| conditions.0).unwrap_or_default(),
        columns: columns.map(|list| list.0),
        format: slice_format(&output, format, is_format_typed)?,
        csv_safe: is_on(csv_safe),
        output,
        force: is_on(force),
        allow_gaps: is_on(allow_gaps),
    };
    check(&request)?;
    Ok(request)
}

fn dataset(named: &[Dataset]) -> Result<Dataset> {
    match named {
        [] => Ok(Dataset::default()),
        [only] => Ok(only.clone()),
        _ => Err(invalid("a slice is of one dataset, and several are named").with_hint("name one with --dataset")),
    }
}

/// The format of the slice: the name of the output decides, unless `--format` was typed, which must not contradict it.
/// Formats of the environment and the file are those of a run, and count only where the name tells nothing.
fn slice_format(output: &Path, list: Option<List<EventFormat>>, is_typed: bool) -> Result<SliceFormat> {
    let extension = extension(output);
    let named = extension.as_deref().and_then(format_of_extension);
    if let Some(named) = named.filter(|_| !is_typed) {
        return Ok(named);
    }
    let format = listed_format(list, extension.as_deref())?;
    let contradicts = match named {
        Some(named) => named != format,
        None => extension.as_deref() == Some("json") && format != SliceFormat::Jsonl,
    };
    if let Some(extension) = extension.filter(|_| contradicts) {
        return Err(invalid(&format!("the output's name ends in .{extension}, and --format is {format}"))
            .with_hint("leave --format out, or give the output another name"));
    }
    Ok(format)
}

/// The extension of a name without `.gz`, in lower case.
fn extension(output: &Path) -> Option<String> {
    let name = output.file_name()?.to_str()?.to_ascii_lowercase();
    let (_, extension) = name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?;
    Some(extension.to_owned())
}

fn format_of_extension(extension: &str) -> Option<SliceFormat> {
    match extension {
        "csv" => Some(SliceFormat::Csv),
        "parquet" => Some(SliceFormat::Parquet),
        "jsonl" | "ndjson" => Some(SliceFormat::Jsonl),
        _ => None,
    }
}

/// The formats of slices, for hints.
const FORMATS: &str = "use --format csv, parquet or jsonl, or an output whose name ends in .csv, .parquet or .jsonl";

/// The error for an output whose name tells no format.
fn unknown_format(extension: Option<&str>) -> Error {
    let Some(extension) = extension else { return invalid("no format was given").with_hint(FORMATS) };
    let meant = nearest(extension, ["csv", "jsonl", "ndjson", "parquet"]);
    let meant = meant.map(|nearest| format!("did you mean .{nearest}? ")).unwrap_or_default();
    invalid(&format!("the output's name ends in .{extension}, which is no format of a slice"))
        .with_hint(format!("{meant}{FORMATS}"))
}

fn listed_format(list: Option<List<EventFormat>>, extension: Option<&str>) -> Result<SliceFormat> {
    let hint = FORMATS;
    match list.unwrap_or(List(Vec::new())).0.as_slice() {
        [] => Err(unknown_format(extension)),
        [EventFormat::Jsonl] => Ok(SliceFormat::Jsonl),
        [EventFormat::Archived(FileFormat::Csv)] => Ok(SliceFormat::Csv),
        [EventFormat::Archived(FileFormat::Parquet)] => Ok(SliceFormat::Parquet),
        [EventFormat::Archived(other)] => {
            Err(invalid(&format!("a slice cannot have the format {other}")).with_hint(hint))
        }
        _ => Err(invalid("a slice has one format, and several are named").with_hint(hint)),
    }
}

fn output_path(path: Option<PathBuf>) -> Result<PathBuf> {
    let path = path.filter(|path| !path.as_os_str().is_empty());
    path.ok_or_else(|| {
        invalid("no output was given")
            .with_hint("name the file to write with --output, such as --output slice.csv; - is standard output")
    })
}

/// Refuses options that contradict each other.
fn check(request: &PullRequest) -> Result<()> {
    let PullRequest { format, csv_safe, columns, .. } = request;
    if *csv_safe && *format != SliceFormat::Csv {
        return Err(invalid(&format!("a slice in the format {format} has no cells to guard"))
            .with_hint("leave --csv-safe out, or use --format csv"));
    }
    if *format == SliceFormat::Parquet && request.output.as_os_str() == STDOUT {
        return Err(invalid("parquet is not written to standard output")
            .with_hint("name a file with --output, or use --format csv or jsonl"));
    }
    if *format == SliceFormat::Parquet && request.is_gzipped() {
        let error = invalid("parquet is compressed already, and the output's name ends in .gz");
        return Err(error.with_hint("give it a name that ends in .parquet"));
    }
    let mut seen = HashSet::new();
    match columns.iter().flatten().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => Err(invalid(&format!("column {twice:?} is named twice")).with_hint("name it once in --columns")),
        None if columns.as_ref().is_some_and(Vec::is_empty) => Err(invalid("the list of columns is empty")),
        None => Ok(()),
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_comes_from_the_flag_or_the_name_which_agree() {
        let listed = |formats: &[&str]| Some(List(formats.iter().map(|format| format.parse().unwrap()).collect()));
        let typed = |output: &str, formats: &[&str]| slice_format(Path::new(output), listed(formats), true).ok();
        assert_eq!(typed("slice", &["jsonl"]), Some(SliceFormat::Jsonl));
        assert_eq!(typed("slice.txt", &["csv"]), Some(SliceFormat::Csv));
        assert_eq!(typed("slice.json", &["jsonl"]), Some(SliceFormat::Jsonl));
        assert_eq!(typed("SLICE.CSV.GZ", &["csv"]), Some(SliceFormat::Csv));
        for (output, format) in [("a.csv", "parquet"), ("a.csv.gz", "jsonl"), ("a.parquet", "csv"), ("a.json", "csv")] {
            assert_eq!(typed(output, &[format]), None, "{output}");
        }
        assert_eq!(typed("slice", &["parquet", "csv"]), None);
        let named = |output: &str| slice_format(Path::new(output), listed(&["parquet", "csv"]), false).ok();
        assert_eq!(named("a.csv"), Some(SliceFormat::Csv));
        assert_eq!(named("a/b.jsonl.gz"), Some(SliceFormat::Jsonl));
        assert_eq!(named("a.ndjson"), Some(SliceFormat::Jsonl));
        assert_eq!(named("a.b.parquet"), Some(SliceFormat::Parquet));
        assert_eq!((named("csv"), named("a.json"), named("-")), (None, None, None));
    }

    #[test]
    fn names_without_a_format_suggest_the_nearest_one() {
        let refused = |output: &str| slice_format(Path::new(output), None, false).unwrap_err();
        assert!(refused("o.json").hint().starts_with("did you mean .jsonl? "), "{}", refused("o.json").hint());
        assert!(refused("o.json.gz").to_string().contains("ends in .json,"), "{}", refused("o.json.gz"));
        for output in ["o.xlsx", "o"] {
            assert_eq!(refused(output).hint(), FORMATS, "{output}");
        }
    }

    #[test]
    fn a_month_as_both_ends_is_explained() {
        let time = |text: &str| Timestamp::parse_lenient(text).unwrap();
        assert!(half_open(time("2025-03"), time("2025-03")).ends_with("all of 2025-03 ends with --to 2025-04-01"));
        assert!(half_open(time("2025-12"), time("2025-12-01")).ends_with("--to 2026-01-01"));
        assert!(!half_open(time("2025-03"), time("2025-02")).contains("all of"));
    }

    #[test]
    fn a_slice_has_one_dataset() {
        let [events, traces] = ["events", "traces"].map(|name| name.parse::<Dataset>().unwrap());
        assert_eq!(dataset(&[]).unwrap(), events);
        assert_eq!(dataset(std::slice::from_ref(&traces)).unwrap(), traces);
        assert!(dataset(&[events, traces]).is_err());
    }
}
