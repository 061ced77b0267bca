//! Private folders of scratch clusters, and what killed processes left of them.
//!
//! The server's user owns the folders and may replace what is in them by links. As root, this process therefore writes and
//! creates nothing there, changes no owner there, and follows no link.
//!
//! A cluster has a random number. Its file `<number>.lock` in the state folder is locked while its process lives, so that a
//! file without a lock names what may be removed. Its folders are named after the same number and nothing is read from them
//! before their owner is checked: no other user's process or file is touched.

use crate::{Error, ErrorKind, Result, error::local, program::User, spool::remove_if_exists};
use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
    process::{Pid, Signal, geteuid, kill_process, test_kill_process},
};
use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, lchown},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// The folders of one cluster. Dropping it removes them.
#[derive(Debug)]
pub(super) struct Place {
    folders: Folders,
    root: PathBuf,
    socket: PathBuf,
    /// Locked until the folders are removed.
    _lock: File,
    is_removed: bool,
}

/// Where folders of a cluster may be, and the user that owns them.
#[derive(Clone, Debug)]
struct Folders {
    lock: PathBuf,
    /// In the state folder, then elsewhere on a disk, then with a short path.
    candidates: [PathBuf; 3],
    user: Option<User>,
}

/// The longest path of a socket's folder: the path of a socket has 103 bytes at most on some systems.
const SOCKET_FOLDER: usize = 103 - "/.s.PGSQL.5432".len();

impl Place {
    /// Removes what killed processes left in `state`, and creates the folders of a new cluster, which `user` owns.
    pub(super) fn create(state: &Path, user: Option<User>) -> Result<Self> {
        let clusters = state.join("clusters");
        create_folder(state, 0o700).map_err(local("create the folder", state))?;
        // Its folders are private, and the server's user has to get there.
        let mode = if user.is_some() { 0o711 } else { 0o700 };
        create_folder(&clusters, mode).map_err(local("create the folder", &clusters))?;
        let clusters = clusters.canonicalize().map_err(local("find the folder", &clusters))?;
        // One process at a time: a lock file that is being made looks like one that was left.
        let turn = File::open(&clusters).map_err(local("open the folder", &clusters))?;
        turn.lock().map_err(local("lock the folder", &clusters))?;
        remove_leftovers(&clusters, user)?;
        let folders = Folders::new(&clusters, &Uuid::new_v4().simple().to_string(), user);
        let lock = File::create_new(&folders.lock).map_err(local("create the lock file", &folders.lock))?;
        lock.try_lock()
            .map_err(|error| Error::new(ErrorKind::Local, "could not lock the new cluster").with_source(error))?;
        let [in_state, on_disk, short] = &folders.candidates;
        let root = if user.is_none() || may_enter(&clusters) { in_state } else { on_disk }.clone();
        let socket = if root.as_os_str().len() <= SOCKET_FOLDER { root.clone() } else { short.clone() };
        let place = Self { folders, root, socket, _lock: lock, is_removed: false };
        create_owned(&place.root, user)?;
        if place.socket != place.root {
            create_owned(&place.socket, user)?;
        }
        Ok(place)
    }

    /// The folder of the cluster's data, which `initdb` creates.
    pub(super) fn data(&self) -> PathBuf {
        data(&self.root)
    }

    /// The folder of everything but a socket that needs a shorter path.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of its socket.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Removes the folders.
    pub(super) fn remove(mut self) -> Result<()> {
        self.is_removed = true;
        self.folders.remove()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_removed
            && let Err(error) = self.folders.remove()
        {
            tracing::warn!(%error, "a scratch cluster is left; the next one removes it");
        }
    }
}

impl Folders {
    fn new(clusters: &Path, number: &str, user: Option<User>) -> Self {
        let name = format!("kt-archive-{number}");
        let candidates = [clusters.join(number), Path::new("/var/tmp").join(&name), Path::new("/tmp").join(&name)];
        Self { lock: clusters.join(format!("{number}.lock")), candidates, user }
    }

    /// Ends a server that runs in them, and removes them and the lock file.
    fn remove(&self) -> Result<()> {
        for folder in &self.candidates {
            let Ok(metadata) = folder.symlink_metadata() else { continue };
            let owner = server_owner(self.user);
            if !metadata.is_dir() || ![geteuid().as_raw(), owner].contains(&metadata.uid()) {
                tracing::warn!(path = %folder.display(), "not removed: another user owns it");
                continue;
            }
            end_server(&data(folder), owner);
            remove_folder(folder).map_err(local("remove the scratch cluster", folder))?;
        }
        // Another process may have removed it in its turn.
        remove_if_exists(&self.lock)
    }
}

fn data(root: &Path) -> PathBuf {
    root.join("data")
}

/// Removes the clusters whose processes are gone.
fn remove_leftovers(clusters: &Path, user: Option<User>) -> Result<()> {
    for entry in fs::read_dir(clusters).map_err(local("read the folder", clusters))? {
        let path = entry.map_err(local("read the folder", clusters))?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".lock"));
        let Some(number) = number.filter(|number| Uuid::try_parse(number).is_ok()) else { continue };
        let lock = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            lock => lock.map_err(local("open the lock file", &path))?,
        };
        match lock.try_lock() {
            Ok(()) => {
                tracing::info!(number, "removing the scratch cluster of a killed process");
                Folders::new(clusters, number, user).remove()?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(local("lock the file", &path)(error)),
        }
    }
    Ok(())
}

/// The number of the user that servers run as.
fn server_owner(user: Option<User>) -> u32 {
    user.map_or_else(|| geteuid().as_raw(), |user| user.uid)
}

/// Ends the server of `owner` whose data are in `data`. Without `/proc` no process is signalled: the server ends itself within
/// a minute once its folder is gone.
fn end_server(data: &Path, owner: u32) {
    const PATIENCE: Duration = Duration::from_secs(10);
    let Some(pid) = server_of(data, owner) else { return };
    let start = Instant::now();
    let mut signal = Signal::QUIT;
    while test_kill_process(pid) != Err(Errno::SRCH) && runs_in(pid, data, owner) {
        if kill_process(pid, signal).is_err() || start.elapsed() > 2 * PATIENCE {
            return;
        }
        if start.elapsed() > PATIENCE {
            signal = Signal::KILL;
        }
        sleep(Duration::from_millis(50));
    }
}

/// The process of `owner` that holds the lock of the data, if it runs there.
fn server_of(data: &Path, owner: u32) -> Option<Pid> {
    let text = lock_of(data).ok()?;
    // `initdb` runs servers without connections, whose numbers are negative.
    let number = text.lines().next()?.trim().parse::<i32>().ok()?.checked_abs()?;
    let pid = Pid::from_raw(number)?;
    runs_in(pid, data, owner).then_some(pid)
}

/// The text of the data's lock file. Its owner may have made it a link, a pipe, or very long.
fn lock_of(data: &Path) -> io::Result<String> {
    const LIMIT: u64 = 4096;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(data.join("postmaster.pid"), flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    io::read_to_string(file.take(LIMIT))
}

/// Whether a process belongs to `owner`, and its working directory is `data`, as that of every process of a server: any user
/// can choose the directory.
fn runs_in(pid: Pid, data: &Path, owner: u32) -> bool {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_pid()));
    fs::metadata(&process).is_ok_and(|process| process.uid() == owner)
        && fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == data)
}

/// Removes a folder into which processes that are about to end may still write.
fn remove_folder(folder: &Path) -> io::Result<()> {
    const TRIES: usize = 50;
    for _ in 1..TRIES {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => sleep(Duration::from_millis(100)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            done => return done,
        }
    }
    fs::remove_dir_all(folder)
}

/// Creates a folder and those around it, unless it exists.
fn create_folder(folder: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(folder)
}

/// Creates a folder that must not exist: in a folder for all users, another one may have made it. Only this process and the
/// superuser may replace it until `user` owns it.
fn create_owned(folder: &Path, user: Option<User>) -> Result<()> {
    DirBuilder::new().mode(0o700).create(folder).map_err(local("create the folder", folder))?;
    if let Some(User { uid, gid }) = user {
        lchown(folder, Some(uid), Some(gid)).map_err(local("change the owner of the folder", folder))?;
    }
    Ok(())
}

/// Whether every user may enter `folder`.
fn may_enter(folder: &Path) -> bool {
    folder.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o001 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn folders_are_private_and_removed_on_drop() {
        let state = tempfile::tempdir().unwrap();
        let place = Place::create(state.path(), None).unwrap();
        let clusters = state.path().join("clusters");
        assert_eq!(entries(&clusters), 2);
        for folder in [place.socket(), &clusters] {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        }
        drop(place);
        assert_eq!(entries(&clusters), 0);
    }

    #[test]
    fn socket_of_a_deep_state_folder_has_a_short_path() {
        let state = tempfile::tempdir().unwrap();
        let deep = state.path().join("a".repeat(100));
        let place = Place::create(&deep, None).unwrap();
        let socket = place.socket().to_owned();
        assert!(socket.starts_with("/tmp") && socket.as_os_str().len() <= SOCKET_FOLDER, "{}", socket.display());
        assert!(place.data().starts_with(&deep));
        place.remove().unwrap();
        assert!(!socket.try_exists().unwrap());
    }

    #[test]
    fn clusters_of_living_processes_are_left_alone() {
        let state = tempfile::tempdir().unwrap();
        let first = Place::create(state.path(), None).unwrap();
        let second = Place::create(state.path(), None).unwrap();
        assert!(first.socket().is_dir() && second.socket().is_dir());
    }

    #[test]
    fn leftovers_are_removed_and_other_files_stay() {
        let state = tempfile::tempdir().unwrap();
        let clusters = state.path().join("clusters");
        let number = Uuid::new_v4().simple().to_string();
        fs::create_dir_all(clusters.join(&number).join("data/base")).unwrap();
        // A process of others, whose number the killed server had before.
        let pid = format!("{}\n", std::process::id());
        fs::write(clusters.join(&number).join("data/postmaster.pid"), pid).unwrap();
        fs::write(clusters.join(format!("{number}.lock")), "").unwrap();
        for name in ["other", "other.lock"] {
            fs::write(clusters.join(name), "").unwrap();
        }
        drop(Place::create(state.path(), None).unwrap());
        let mut names = fs::read_dir(&clusters).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        names.sort();
        assert_eq!(names, ["other", "other.lock"]);
    }

    /// A folder of data with this lock file.
    fn data_with(lock: impl FnOnce(&Path)) -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        lock(&data.path().join("postmaster.pid"));
        data
    }

    #[test]
    fn only_processes_of_the_servers_user_are_signalled() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path().canonicalize().unwrap();
        let mut process = std::process::Command::new("sleep").arg("60").current_dir(&data).spawn().unwrap();
        fs::write(data.join("postmaster.pid"), format!("{}\n", process.id())).unwrap();
        let own = geteuid().as_raw();
        end_server(&data, own + 1);
        assert!(process.try_wait().unwrap().is_none(), "a process of another user was signalled");
        assert!(server_of(&data, own).is_some());
        process.kill().unwrap();
        process.wait().unwrap();
    }

    #[test]
    fn lock_file_that_is_not_a_servers_is_not_read() {
        let number = format!("{}\n", std::process::id());
        let target = tempfile::NamedTempFile::new().unwrap();
        fs::write(target.path(), &number).unwrap();
        let link = data_with(|lock| std::os::unix::fs::symlink(target.path(), lock).unwrap());
        let pipe =
            data_with(|lock| assert!(std::process::Command::new("mkfifo").arg(lock).status().unwrap().success()));
        assert!(lock_of(link.path()).is_err() && lock_of(pipe.path()).is_err());
        let long = data_with(|lock| fs::write(lock, number.repeat(10_000)).unwrap());
        assert_eq!(lock_of(long.path()).unwrap().len(), 4096);
    }

    #[test]
    fn folder_of_another_user_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let name = Uuid::new_v4().simple().to_string();
        let folders = Folders::new(folder.path(), &name, None);
        fs::write(&folders.lock, "").unwrap();
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        std::os::unix::fs::symlink(&target, &folders.candidates[0]).unwrap();
        folders.remove().unwrap();
        assert!(target.is_dir() && folders.candidates[0].symlink_metadata().is_ok());
    }
}
