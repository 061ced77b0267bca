//! A platform, a host and an archive: what most tests need.

use super::{
    archive::Archive,
    cli::{Host, Outcome, Running},
    platform::{Platform, TOKEN},
    script::{Script, ServerClock},
};
use chrono::{DateTime, Utc};

/// A platform, and a host that archives it into a folder as CSV and Parquet.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) platform: Platform,
    pub(crate) host: Host,
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

    /// A world in which it is `time` (`2025-04-10T03:00:00Z`), for the platform and for a host in the zone `zone`.
    pub(crate) fn at(time: &str, zone: &str, script: Script) -> Self {
        let instant = DateTime::parse_from_rfc3339(time).unwrap().to_utc();
        let mut world = Self::new(script.clock(ServerClock::At(instant)));
        world.host.set("TZ", zone);
        world.host.set_time(&local_time(instant, zone));
        world
    }

    /// The same, with an archive whose identity is given, as two runs must have it whose files shall be the same: every
    /// Parquet file names its archive.
    pub(crate) fn identified(script: Script) -> Self {
        let world = Self::new(script);
        let root = world.host.path("archive");
        let identity = concat!(
            r#"{"format": "keeptrusts-archive/1", "archive": "0f8fad5b-d9cb-469f-a165-70867728950e", "#,
            r#""created_at": "2025-01-01T00:00:00.000000Z"}"#
        );
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("archive.json"), identity).unwrap();
        world
    }

    /// The archive, to look at from outside.
    pub(crate) fn archive(&self) -> Archive {
        Archive::at(self.host.path("archive"))
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.host.run(arguments)
    }

    /// Archives a month, whatever comes of it.
    pub(crate) fn archive_month(&self, month: &str) -> Outcome {
        self.run(&["run", "--month", month, "--json"])
    }

    /// Starts to archive a month.
    pub(crate) fn start_month(&self, month: &str) -> Running {
        self.host.start(&["run", "--month", month, "--json"])
    }

    /// Asserts that nothing was committed, and that no file has a place where readers of the archive look for files.
    #[track_caller]
    pub(crate) fn assert_nothing_committed(&self) {
        let archive = self.archive();
        assert_eq!(archive.sequences(), [] as [u64; 0], "a manifest was committed");
    }
}

/// `faketime` reads its argument in the host's zone, so an instant has to be told in it. coreutils knows the zones.
fn local_time(instant: DateTime<Utc>, zone: &str) -> String {
    let asked = std::process::Command::new("date")
        .env("TZ", zone)
        .args(["-d", &format!("@{}", instant.timestamp()), "+%Y-%m-%d %H:%M:%S"])
        .output()
        .unwrap();
    String::from_utf8(asked.stdout).unwrap().trim().to_owned()
}
