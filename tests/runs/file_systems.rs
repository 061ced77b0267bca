//! File systems that lack something, folders that cannot be read, and the modes of an archive's files.

use super::flushes::{RUN, host};
use crate::support::cli::{Host, Outcome};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

/// Runs the program while `strace` injects these faults into system calls, if given only into those with `path`.
fn run_with_faults(host: &Host, faults: &[&str], path: Option<&Path>, arguments: &[&str]) -> Outcome {
    let mut options = vec!["strace".to_owned(), "-f".to_owned(), "-qq".to_owned(), "-o".to_owned(), "trace".to_owned()];
    options.extend(path.into_iter().flat_map(|path| ["-P".to_owned(), path.display().to_string()]));
    options.extend(faults.iter().flat_map(|fault| ["-e".to_owned(), format!("inject={fault}")]));
    host.run_under(&options.iter().map(String::as_str).collect::<Vec<_>>(), arguments)
}

#[test]
fn hard_links_replace_exclusive_renames_and_without_both_nothing_is_committed() {
    let (host, archive) = host();
    let outcome = run_with_faults(&host, &["renameat2:error=EINVAL", "linkat:error=EPERM"], None, &RUN).expect(7);
    assert!(outcome.stdout.contains("neither exclusive renames nor hard links"), "{}", outcome.stdout);
    assert!(archive.objects().is_empty(), "{:?}", archive.objects());
    run_with_faults(&host, &["renameat2:error=EINVAL"], None, &RUN).expect(0);
    archive.check();
}

#[test]
fn file_systems_without_locks_are_named() {
    let (host, archive) = host();
    let outcome = run_with_faults(&host, &["flock:error=ENOSYS"], None, &RUN).expect(1);
    assert!(outcome.stdout.contains("--state-dir"), "{}", outcome.stdout);
    let outcome = run_with_faults(&host, &["flock:error=ENOSYS"], Some(archive.root()), &RUN).expect(0);
    assert!(outcome.stderr.contains("the file system of the archive has no locks"), "{}", outcome.stderr);
    archive.check();
}

#[test]
fn folder_that_cannot_be_read_is_an_error_unless_it_is_the_file_systems_own() {
    let (host, archive) = host();
    host.run(&RUN).expect(0);
    fs::create_dir(archive.path("lost+found")).unwrap();
    let verify =
        |path: &str| run_with_faults(&host, &["openat:error=EACCES"], Some(&archive.path(path)), &["verify", "--json"]);
    let outcome = verify("lost+found").expect(0);
    assert!(outcome.stderr.contains("archive/lost+found"), "{}", outcome.stderr);
    let outcome = verify("events/csv").expect(7);
    assert!(outcome.stdout.contains("archive/events/csv"), "{}", outcome.stdout);
}

#[test]
fn archive_is_for_owner_and_group_whatever_the_umask() {
    let cases = [
        ("0", None, 0o640, 0o750),
        ("022", None, 0o640, 0o750),
        ("077", None, 0o600, 0o700),
        ("022", Some("0664"), 0o644, 0o755),
        ("0", Some("0600"), 0o600, 0o700),
    ];
    for (umask, option, file_mode, folder_mode) in cases {
        let (mut host, archive) = host();
        host.set("KT_ARCHIVE_FILE_MODE", option.unwrap_or_default());
        host.run_under(&["sh", "-c", &format!("umask {umask}; exec \"$@\""), "sh"], &RUN).expect(0);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for object in archive.objects() {
            let path = archive.path(&object);
            assert_eq!(
                (mode(&path), mode(path.parent().unwrap())),
                (file_mode, folder_mode),
                "{object}, umask {umask}"
            );
        }
    }
}
