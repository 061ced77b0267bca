//! The metrics file, for the textfile collector of Prometheus' node exporter.

use super::{
    super::Finished,
    Family, Snapshot, families,
    families::{
        DAMAGED, EXIT_CODE, Evidence, LAST_ATTEMPT, LAST_SUCCESS, LAST_VERIFICATION, evidence, exit_code, last_attempt,
    },
    text,
};
use crate::{exit::ExitCode, status::StatusReport};
use archive_connectors::{Error, ErrorKind, Result, error::local};
use archive_formats::Timestamp;
use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// The metrics file of one archive. Replaced atomically: readers never see a partial file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Textfile<'a> {
    pub(super) path: &'a Path,
    /// The archive's URL, without secrets.
    pub(super) archive: &'a str,
    /// Directories of the archive and its replicas; the file must be outside of them.
    pub(super) archives: &'a [PathBuf],
}

impl Textfile<'_> {
    /// Writes that an attempt began at `at`. Keeps the metrics of earlier attempts except the last exit code.
    pub(super) async fn begin(self, at: Timestamp) -> Result<()> {
        let _lock = self.lock().await;
        let earlier = self.read()?;
        let carried = text::carried(&earlier, self.archive, |name| ![LAST_ATTEMPT, EXIT_CODE].contains(&name));
        let backups = of_backups(&earlier);
        self.replace(&format!("{backups}{carried}{}", text::render(&[last_attempt(self.archive, at)])))
    }

    /// Writes the metrics of an attempt that ended, and of the archive if `status` is known. Returns the end of the last
    /// successful attempt.
    pub(super) async fn end(self, finished: &Finished, status: Option<&StatusReport>) -> Result<Option<Timestamp>> {
        let _lock = self.lock().await;
        let earlier = self.read()?;
        let last_success = match finished.exit {
            ExitCode::Done => Some(finished.ended),
            _ => last_success(&earlier, self.archive).filter(|at| *at <= finished.ended),
        };
        if finished.exit == ExitCode::Locked {
            self.end_locked(&earlier, &last_attempt(self.archive, finished.attempt.started))?;
        } else {
            let snapshot = Snapshot { archive: self.archive, finished, last_success, status };
            // Known damage stays known while the archive cannot be read.
            let is_kept = |name: &str| status.is_none() && [DAMAGED, LAST_VERIFICATION].contains(&name);
            let kept = text::carried(&earlier, self.archive, is_kept);
            self.replace(&format!("{}{}{kept}", of_backups(&earlier), text::render(&families(&snapshot))))?;
        }
        Ok(last_success)
    }

    /// Writes what a verification found, before the metrics of the last attempt: a run may end while it meets the lock.
    pub(super) async fn verified(self, found: &Evidence) -> Result<()> {
        let _lock = self.lock().await;
        let earlier = self.read()?;
        let mut families = evidence(self.archive, found);
        families.retain(|family| !family.samples.is_empty());
        let carried = text::carried(&earlier, self.archive, |name| ![DAMAGED, LAST_VERIFICATION].contains(&name));
        self.replace(&format!("{}{}{carried}", of_backups(&earlier), text::render(&families)))
    }

    /// Replaces the metrics of backups that `families` has, and keeps all others. `changed` makes the families of what the
    /// file holds.
    pub(super) async fn update_backups(self, changed: impl FnOnce(&str) -> Vec<Family>) -> Result<()> {
        let _lock = self.lock().await;
        let earlier = self.read()?;
        let mut families = changed(&earlier);
        // A family without a sample is one that has no value any more.
        let kept = text::kept(&earlier, |name, _| !families.iter().any(|family| family.name == name));
        families.retain(|family| !family.samples.is_empty());
        self.replace(&format!("{}{kept}", text::render(&families)))
    }

    /// Adds the exit code of a run that met the lock, unless the run that holds the lock has written since.
    fn end_locked(self, earlier: &str, attempt: &Family) -> Result<()> {
        let attempt = text::render(std::slice::from_ref(attempt));
        if !earlier.ends_with(&attempt) {
            return Ok(());
        }
        let exit = exit_code(self.archive, ExitCode::Locked.code());
        self.replace(&format!("{earlier}{}", text::render(&[exit])))
    }

    /// The present text; empty if there is no file. Refuses files that kt-archive did not write: a mistyped path must not
    /// overwrite a secret, a manifest, or another program's metrics.
    fn read(self) -> Result<String> {
        // A thousand datasets need far less.
        const MAX_BYTES: u64 = 16 << 20;
        self.check_outside_archives()?;
        let refused = |message: &str| {
            let error = Error::new(ErrorKind::Local, message.to_owned()).with_context("path", self.path.display());
            Err(error.with_hint("choose another --metrics-file; the existing file was not changed"))
        };
        match fs::symlink_metadata(self.path) {
            Ok(found) if !found.is_file() => refused("the metrics file is not a regular file"),
            Ok(found) if found.len() == 0 => Ok(String::new()),
            Ok(found) if found.len() > MAX_BYTES => refused("the metrics file was not written by kt-archive"),
            Ok(_) => {
                let text = String::from_utf8(fs::read(self.path).map_err(local("read", self.path))?);
                let ours = text.ok().filter(|text| text.starts_with(text::BEGINNING));
                ours.map_or_else(|| refused("the metrics file was not written by kt-archive"), Ok)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(local("look at", self.path)(error)),
        }
    }

    /// Inside an archive, the file would be read as an object of it, or replace one.
    fn check_outside_archives(self) -> Result<()> {
        let folder = self.folder();
        let folder = folder.canonicalize().map_err(local("look for the folder of the metrics file", &folder))?;
        let inside = self.archives.iter().filter_map(|archive| archive.canonicalize().ok());
        if inside.into_iter().any(|archive| folder.starts_with(archive)) {
            let error = Error::new(ErrorKind::Local, "the metrics file is inside the archive or a replica");
            return Err(error.with_context("path", self.path.display()).with_hint("choose a folder outside of it"));
        }
        Ok(())
    }

    fn replace(self, text: &str) -> Result<()> {
        let failed = || local("write", self.path);
        let folder = self.folder();
        // Not `.prom`, which the node exporter would read.
        let mut file = tempfile::Builder::new()
            .prefix(".kt-archive-")
            .suffix(".tmp")
            .tempfile_in(&folder)
            .map_err(local("make a file in", &folder))?;
        file.write_all(text.as_bytes()).map_err(failed())?;
        // The node exporter runs as another user.
        file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed())?;
        file.as_file().sync_all().map_err(failed())?;
        file.persist(self.path).map_err(|error| failed()(error.error))?;
        Ok(())
    }

    /// Locks the folder against concurrent runs. Gives up after a second: other programs may lock it, too.
    async fn lock(self) -> Option<File> {
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

/// The metrics of backups, which a run keeps.
fn of_backups(earlier: &str) -> String {
    text::kept(earlier, |name, _| name.starts_with(text::BACKUPS))
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
    use crate::monitoring::{Attempt, Tier};

    fn finished(started: i64, ended: i64, exit: ExitCode) -> Finished {
        let [started, ended] = [started, ended].map(Timestamp::from_micros);
        let attempt = Attempt { command: "run", tier: Tier::Events, started };
        Finished { attempt, ended, exit, error: None, report: None, summary: None, work: Work::default() }
    }

    /// The first run works from 10 to 30, the second meets its lock from 20 on.
    #[tokio::test]
    async fn locked_run_adds_nothing_after_the_other_run_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kt.prom");
        let file = Textfile { path: &path, archive: "a", archives: &[] };
        file.begin(Timestamp::from_micros(10)).await.unwrap();
        file.begin(Timestamp::from_micros(20)).await.unwrap();
        file.end(&finished(10, 30, ExitCode::Done), None).await.unwrap();
        let written = fs::read_to_string(&path).unwrap();
        file.end(&finished(20, 31, ExitCode::Locked), None).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), written);
        assert_eq!(text::value(&written, "a", EXIT_CODE), Some(0.0));
    }

    #[tokio::test]
    async fn last_success_in_the_future_is_dropped() {
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
    fn last_success_is_exact_after_many_runs() {
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
    fn invalid_last_success_is_dropped() {
        for value in ["NaN", "inf", "-1", "1e300", "soon"] {
            let text = format!("{LAST_SUCCESS}{{archive=\"a\"}} {value}\n");
            assert_eq!(last_success(&text, "a"), None, "{value}");
        }
    }
}
