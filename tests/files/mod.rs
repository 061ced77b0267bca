//! Earlier exports in files as a source.

mod backfills;
mod edges;
mod json;
mod refusals;

use crate::support::{
    archive::Archive,
    cli::{Host, Outcome},
    events::{self, Event},
};
use std::{fs, path::Path};

/// A host with a folder of exports, which it archives as CSV and Parquet.
struct FileWorld {
    host: Host,
}

impl FileWorld {
    fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let mut host = Host::new();
        host.set("KT_ARCHIVE_ARCHIVE", host.path("archive").display().to_string());
        host.set("KT_ARCHIVE_FORMAT", "parquet,csv");
        let world = Self { host };
        for (name, bytes) in files {
            world.write(name, bytes);
        }
        world
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.host.path("exports").join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Archives the months `from` to `to` from files in `exports`.
    fn backfill(&self, pattern: &str, from: &str, to: &str) -> Outcome {
        let source = format!("exports/{pattern}");
        self.host.run(&["backfill", "--source", &source, "--from", from, "--to", to, "--json"])
    }

    fn run(&self, pattern: &str, month: &str) -> Outcome {
        self.host.run(&["run", "--source", &format!("exports/{pattern}"), "--month", month, "--json"])
    }

    fn archive(&self) -> Archive {
        Archive::at(self.host.path("archive"))
    }
}

/// Events of these months in time order.
fn months(names: &[&str], each: u32) -> Vec<Event> {
    names.iter().flat_map(|name| events::month(name, each).into_iter().rev()).collect()
}

/// Sorted ids of the events of `month`.
fn ids<'a>(events: impl IntoIterator<Item = &'a Event>, month: &str) -> Vec<String> {
    let (from, to) = (events::start_of(month), events::start_of(&events::month_after(month, 1)));
    let inside = events.into_iter().filter(|event| event.time().is_some_and(|time| from <= time && time < to));
    let mut ids = inside.map(|event| event.id().to_owned()).collect::<Vec<_>>();
    ids.sort();
    ids
}
