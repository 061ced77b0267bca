//! The textfile that Prometheus' node exporter reads.

use super::{
    super::Finished,
    Family, Snapshot, families,
    families::{EXIT_CODE, LAST_ATTEMPT, LAST_SUCCESS, began, ended},
    text,
};
use crate::{exit::ExitCode, report::StatusReport};
use archive_connectors::{Error, ErrorKind, Result, error::local};
use archive_formats::Timestamp;
use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// The textfile of one archive. It is replaced as a whole, so that no reader sees half of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Textfile<'a> {
    pub(super) path: &'a Path,
    /// The archive's URL, printable.
    pub(super) archive: &'a str,
    /// The folders of archives and replicas, where it must not lie.
    pub(super) archives: &'a [PathBuf],
}

impl Textfile<'_> {
    /// Tells that an attempt began at `at`. What is known of earlier ones stays, but for how the last one ended.
    pub(super) async fn begin(self, at: Timestamp) -> Result<()> {
        let _turn = self.turn().await;
        let earlier = self.earlier()?;
        let carried = text::carried(&earlier, self.archive, &[LAST_ATTEMPT, EXIT_CODE]);
        self.replace(&format!("{carried}{}", text::render(&[began(self.archive, at)])))
    }

    /// Tells what is known once the attempt is over; `status` is where the archive stands, if that could be found out.
    /// Returns when the last good attempt ended.
    pub(super) async fn end(self, finished: &Finished, status: Option<&StatusReport>) -> Result<Option<Timestamp>> {
        let _turn = self.turn().await;
        let earlier = self.earlier()?;
        let last_success = match finished.exit {
            ExitCode::Done => Some(finished.ended),
            _ => last_success(&earlier, self.archive).filter(|at| *at <= finished.ended),
        };
        if finished.exit == ExitCode::Locked {
            self.end_locked(&earlier, &began(self.archive, finished.attempt.started))?;
        } else {
            let snapshot = Snapshot { archive: self.archive, finished, last_success, status };
            self.replace(&text::render(&families(&snapshot)))?;
        }
        Ok(last_success)
    }

    /// The run that holds the lock tells what it does. Unless it has meanwhile, the exit code is added to what is known.
    fn end_locked(self, earlier: &str, began: &Family) -> Result<()> {
        let began = text::render(std::slice::from_ref(began));
        if !earlier.ends_with(&began) {
            return Ok(());
        }
        let exit = ended(self.archive, ExitCode::Locked.code());
        self.replace(&format!("{earlier}{}", text::render(&[exit])))
    }

    /// What the file says now; nothing when there is none. Refuses what was not written here: a slip of the hand must not
    /// cost a token, a manifest, or the metrics of others.
    fn earlier(self) -> Result<String> {
        // Far above what a thousand datasets take.
        const MOST: u64 = 16 << 20;
        self.is_outside_of_archives()?;
        let refused = |message: &str| {
            let error = Error::new(ErrorKind::Local, message.to_owned()).with_context("path", self.path.display());
            Err(error.with_hint("choose another --metrics-file; what is there was left as it is"))
        };
        match fs::symlink_metadata(self.path) {
            Ok(found) if !found.is_file() => refused("the metrics file is no ordinary file"),
            Ok(found) if found.len() == 0 => Ok(String::new()),
            Ok(found) if found.len() > MOST => refused("the metrics file holds something else"),
            Ok(_) => {
                let text = String::from_utf8(fs::read(self.path).map_err(local("read", self.path))?);
                let ours = text.ok().filter(|text| text.starts_with(text::BEGINNING));
                ours.map_or_else(|| refused("the metrics file holds something else"), Ok)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(local("look at", self.path)(error)),
        }
    }

    /// In an archive the file would be taken for one of its objects, or take the place of one.
    fn is_outside_of_archives(self) -> Result<()> {
        let folder = self.folder();
        let folder = folder.canonicalize().map_err(local("look for the folder of the metrics file", &folder))?;
        let inside = self.archives.iter().filter_map(|archive| archive.canonicalize().ok());
        if inside.into_iter().any(|archive| folder.starts_with(archive)) {
            let error = Error::new(ErrorKind::Local, "the metrics file lies in the archive or in a replica");
            return Err(error.with_context("path", self.path.display()).with_hint("choose a folder outside of it"));
        }
        Ok(())
    }

    fn replace(self, text: &str) -> Result<()> {
        let failed = || local("write", self.path);
        let folder = self.folder();
        // The node exporter reads whatever ends in `.prom`.
        let mut file = tempfile::Builder::new()
            .prefix(".kt-archive-")
            .suffix(".tmp")
            .tempfile_in(&folder)
            .map_err(local("make a file in", &folder))?;
        file.write_all(text.as_bytes()).map_err(failed())?;
        // Whoever reads it is another user.
        file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed())?;
        file.as_file().sync_all().map_err(failed())?;
        file.persist(self.path).map_err(|error| failed()(error.error))?;
        Ok(())
    }

    /// Waits for others that read and replace the file; not for long, since whoever locks the folder may have other
    /// reasons.
    async fn turn(self) -> Option<File> {
        const TRIES: u32 = 50;
        const PAUSE: Duration = Duration::from_millis(20);
        let folder = File::open(self.folder()).ok()?;
        for _ in 0..TRIES {
            if folder.try_lock().is_ok() {
                return Some(folder);
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    fn folder(self) -> PathBuf {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new(".")).to_owned()
    }
}

fn last_success(earlier: &str, archive: &str) -> Option<Timestamp> {
    let seconds = text::value(earlier, archive, LAST_SUCCESS)?;
    let nanos = Duration::try_from_secs_f64(seconds).ok()?.as_nanos();
    // The text has microseconds, to which no f64 is exact.
    i64::try_from((nanos + 500) / 1_000).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Sample, Work},
        *,
    };
    use crate::monitoring::Attempt;

    fn finished(started: i64, ended: i64, exit: ExitCode) -> Finished {
        let [started, ended] = [started, ended].map(Timestamp::from_micros);
        let attempt = Attempt { command: "run", started };
        Finished { attempt, ended, exit, error: None, report: None, work: Work::default() }
    }

    /// The first run works from 10 to 30, the second meets its lock from 20 on.
    #[tokio::test]
    async fn a_run_that_met_the_lock_adds_nothing_once_the_other_has_told_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kt.prom");
        let file = Textfile { path: &path, archive: "a", archives: &[] };
        file.begin(Timestamp::from_micros(10)).await.unwrap();
        file.begin(Timestamp::from_micros(20)).await.unwrap();
        file.end(&finished(10, 30, ExitCode::Done), None).await.unwrap();
        let told = fs::read_to_string(&path).unwrap();
        file.end(&finished(20, 31, ExitCode::Locked), None).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), told);
        assert_eq!(text::value(&told, "a", EXIT_CODE), Some(0.0));
    }

    #[tokio::test]
    async fn a_last_success_that_is_yet_to_come_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kt.prom");
        let file = Textfile { path: &path, archive: "a", archives: &[] };
        file.end(&finished(10, 30, ExitCode::Done), None).await.unwrap();
        file.end(&finished(40, 50, ExitCode::Source), None).await.unwrap();
        assert!(last_success(&fs::read_to_string(&path).unwrap(), "a").is_some());
        file.end(&finished(10, 20, ExitCode::Source), None).await.unwrap();
        assert_eq!(last_success(&fs::read_to_string(&path).unwrap(), "a"), None);
    }

    #[test]
    fn the_last_success_is_the_same_instant_however_often_it_is_carried_over() {
        let mut at = Timestamp::from_micros(1_763_863_620_123_457);
        for _ in 0..100 {
            let family = Family {
                name: LAST_SUCCESS,
                help: "",
                samples: vec![Sample { labels: vec![("archive", "a".to_owned())], value: at.into() }],
            };
            at = last_success(&text::render(&[family]), "a").unwrap();
        }
        assert_eq!(at.as_micros(), 1_763_863_620_123_457);
    }

    #[test]
    fn a_last_success_that_is_no_instant_counts_as_none() {
        for value in ["NaN", "inf", "-1", "1e300", "soon"] {
            let text = format!("{}{{archive=\"a\"}} {value}\n", LAST_SUCCESS);
            assert_eq!(last_success(&text, "a"), None, "{value}");
        }
    }
}
