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
use archive_connectors::{Error, ErrorKind, Result, clock::SystemClock};
use archive_formats::{Dataset, FileFormat, Window, encode::slice::SliceFormat};
use std::{collections::HashSet, path::PathBuf};

pub(super) async fn pull(args: PullArgs, session: Session) -> Result<Outcome> {
    let window = Window::new(args.from, args.to).map_err(|error| {
        invalid(&error.to_string()).with_hint("--from is the first instant of the slice, --to the first one after it")
    })?;
    let opened = session.open_pulling()?;
    let request = request(&opened, window)?;
    let work = pull::pull(&opened.settings, &request, &SystemClock, opened.screen.observer());
    let report = Signals::listen()?.abort_on_signal(work).await;
    opened.screen.close();
    let report = report?;
    Ok(Outcome::new(&report, session.results))
}

fn request(opened: &Opened, window: Window) -> Result<PullRequest> {
    let Config { r#match, columns, format, output, force, allow_gaps, csv_safe, .. } = opened.config.clone();
    let is_on = |switch: Option<Switch>| switch.is_some_and(|on| on.0);
    let request = PullRequest {
        dataset: dataset(&opened.settings.datasets)?,
        window,
        conditions: r#match.map(|conditions| conditions.0).unwrap_or_default(),
        columns: columns.map(|list| list.0),
        format: slice_format(format)?,
        csv_safe: is_on(csv_safe),
        output: output_path(output)?,
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

fn slice_format(list: Option<List<EventFormat>>) -> Result<SliceFormat> {
    let hint = "use --format csv, parquet or jsonl";
    match list.unwrap_or(List(Vec::new())).0.as_slice() {
        [] => Err(invalid("no format was given").with_hint(hint)),
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
    path.ok_or_else(|| invalid("no output was given").with_hint("name the file to write with --output"))
}

/// Refuses options that contradict each other.
fn check(request: &PullRequest) -> Result<()> {
    let PullRequest { format, csv_safe, columns, .. } = request;
    if *csv_safe && *format != SliceFormat::Csv {
        return Err(invalid(&format!("a slice in the format {format} has no cells to guard"))
            .with_hint("leave --csv-safe out, or use --format csv"));
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
    fn a_slice_has_one_format_and_one_dataset() {
        let format =
            |formats: &[&str]| slice_format(Some(List(formats.iter().map(|format| format.parse().unwrap()).collect())));
        assert_eq!(format(&["jsonl"]).unwrap(), SliceFormat::Jsonl);
        assert_eq!(format(&["parquet"]).unwrap(), SliceFormat::Parquet);
        assert!(format(&["parquet", "csv"]).is_err() && slice_format(None).is_err());
        let [events, traces] = ["events", "traces"].map(|name| name.parse::<Dataset>().unwrap());
        assert_eq!(dataset(&[]).unwrap(), events);
        assert_eq!(dataset(std::slice::from_ref(&traces)).unwrap(), traces);
        assert!(dataset(&[events, traces]).is_err());
    }
}
