//! A platform and a host with an archive, as most tests need them.

use super::{
    archive::Archive,
    cli::{Host, Outcome, Running},
    platform::{Platform, TOKEN},
    script::{Script, ServerClock},
};
use chrono::{DateTime, Utc};
use std::path::Path;

/// A platform, and a host that archives its events into a folder as CSV and Parquet.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) platform: Platform,
    pub(crate) host: Host,
}

/// Begins an archive with a fixed identity in a folder that does not exist.
pub(crate) fn identify(root: &Path) {
    let identity = concat!(
        r#"{"format": "keeptrusts-archive/1", "archive": "0f8fad5b-d9cb-469f-a165-70867728950e", "#,
        r#""created_at": "2025-01-01T00:00:00.000000Z"}"#
    );
    std::fs::create_dir(root).unwrap();
    std::fs::write(root.join("archive.json"), identity).unwrap();
}

impl World {
    pub(crate) fn new(script: Script) -> Self {
        let platform = Platform::start(script);
        let mut host = Host::new();
        host.set("KEEPTRUSTS_API_TOKEN", TOKEN);
        host.set("KT_ARCHIVE_SOURCE", platform.url());
        host.set("KT_ARCHIVE_ARCHIVE", host.path("archive").display().to_string());
        host.set("KT_ARCHIVE_FORMAT", "parquet,csv");
        Self { platform, host }
    }

    /// A world at `time` (`2025-04-10T03:00:00Z`), for the platform and for a host in the zone `zone`.
    pub(crate) fn at(time: &str, zone: &str, script: Script) -> Self {
        let instant = DateTime::parse_from_rfc3339(time).unwrap().to_utc();
        let mut world = Self::new(script.clock(ServerClock::At(instant)));
        world.host.set("TZ", zone);
        world.host.set_time(&local_time(instant, zone));
        world
    }

    /// A world whose archive has a fixed identity, so that two runs make equal files: Parquet files contain it.
    pub(crate) fn identified(script: Script) -> Self {
        let world = Self::new(script);
        identify(&world.host.path("archive"));
        world
    }

    /// The archive.
    pub(crate) fn archive(&self) -> Archive {
        Archive::at(self.host.path("archive"))
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.host.run(arguments)
    }

    /// Archives a month.
    pub(crate) fn archive_month(&self, month: &str) -> Outcome {
        self.run(&["run", "--month", month, "--json"])
    }

    /// Starts to archive a month.
    pub(crate) fn start_month(&self, month: &str) -> Running {
        self.host.start(&["run", "--month", month, "--json"])
    }

    /// Asserts that no manifest was committed.
    #[track_caller]
    pub(crate) fn assert_nothing_committed(&self) {
        let archive = self.archive();
        assert_eq!(archive.sequences(), [] as [u64; 0], "a manifest was committed");
    }
}

/// The instant in `zone`, as `faketime` expects it. coreutils converts it.
fn local_time(instant: DateTime<Utc>, zone: &str) -> String {
    let asked = std::process::Command::new("date")
        .env("TZ", zone)
        .args(["-d", &format!("@{}", instant.timestamp()), "+%Y-%m-%d %H:%M:%S"])
        .output()
        .unwrap();
    String::from_utf8(asked.stdout).unwrap().trim().to_owned()
}
