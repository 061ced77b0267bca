//! No password is in an argument of any process, in output, or in a file.

use super::{EVENTS, Guide};
use crate::support::{cli::Outcome, postgres::program, programs::folder_with, test_variable};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
use tempfile::TempDir;

/// Where the program gets the password from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Variable,
    PasswordFile,
}

/// A host whose role needs its password, and programs that note the arguments of all processes.
struct Watched {
    guide: Guide,
    role: String,
    password: String,
    _programs: TempDir,
    /// Where they note them.
    seen: TempDir,
}

impl Watched {
    fn new(origin: Origin) -> Self {
        let mut guide = Guide::new(EVENTS);
        let password = format!("canary-{}", uuid::Uuid::new_v4().simple());
        let role = guide.database.role(&format!("superuser password '{password}' in role with_password"));
        let url = guide.database.url_for(&role);
        match origin {
            Origin::Variable => guide.host.set("PGPASSWORD", &*password),
            Origin::PasswordFile => {
                let file = guide.host.path(".pgpass");
                fs::write(&file, format!("*:*:*:{role}:{password}\n")).unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
        let restored = url.replace(guide.database.name(), &format!("{}_restored", guide.database.name()));
        guide.host.set("KT_ARCHIVE_BACKUP_DATABASE", &*url);
        guide.host.set("KT_ARCHIVE_INTO", restored);
        let noting = |name: &str, seen: &Path| {
            let (real, seen) = (program(name).display().to_string(), seen.display().to_string());
            format!(
                "{{ cat /proc/[0-9]*/cmdline 2>/dev/null || true; printf '\\n%s\\n' \"$*\"; }} | tr '\\0' ' ' >> {seen}\n\
                 exec {real} \"$@\""
            )
        };
        let seen = tempfile::tempdir().unwrap();
        let scripts =
            ["pg_dump", "pg_dumpall", "pg_restore"].map(|name| (name, noting(name, &seen.path().join("arguments"))));
        let programs = folder_with(&scripts);
        guide.host.set("KT_ARCHIVE_PG_BIN", programs.path().display().to_string());
        Self { guide, role, password, _programs: programs, seen }
    }

    /// Runs a command with verbose output, and searches it.
    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32) -> Outcome {
        let outcome = self.guide.host.run(&[arguments, &["-v", "-v"]].concat()).expect(code);
        assert!(!outcome.output().contains(&self.password), "{}", outcome.output());
        outcome
    }

    /// Searches what the programs saw, and all files but the password file.
    #[track_caller]
    fn assert_leaked_nothing(&self) {
        let seen = fs::read(self.seen.path().join("arguments")).unwrap();
        let seen = String::from_utf8_lossy(&seen);
        assert!(seen.contains("kt-archive") && seen.contains("--format=custom"), "{seen}");
        assert!(!seen.contains(&self.password), "a password in an argument");
        for file in super::files_below(&self.guide.host.path("")) {
            let path = self.guide.host.path(&file);
            let bytes = fs::read(&path).unwrap();
            let holds = memchr::memmem::find(&bytes, self.password.as_bytes()).is_some();
            assert!(!holds || file == ".pgpass", "{file} holds the password");
        }
    }
}

#[test]
fn passwords_are_in_no_argument_output_or_file() {
    for origin in [Origin::Variable, Origin::PasswordFile] {
        let watched = Watched::new(origin);
        watched.run(&["backup", "database", "--metrics-file", "metrics.prom"], 0);
        watched.run(&["backup", "database", "--json", "--log-format", "json"], 0);
        watched.run(&["backup", "database", "--role-passwords", "--json"], 0);
        watched.run(&["backup", "verify"], 0);
        let programs = test_variable("KT_TEST_POSTGRES_BIN");
        watched.run(&["backup", "drill", "--json", "--pg-bin", &programs], 0);
        watched.run(&["recover", "plan"], 0);
        watched.run(&["recover", "database", "--json"], 0);
        // And in failures.
        watched.run(&["recover", "database", "--json"], 2);
        watched.run(&["backup", "database", "--pg-bin", "/nonexistent"], 2);
        watched.guide.database.sql(&format!("alter role {} password 'another one'", watched.role));
        watched.run(&["backup", "database", "--json"], 9);
        watched.assert_leaked_nothing();
    }
}

#[test]
fn typed_password_is_refused() {
    let guide = Guide::new("select 1");
    let url = guide.database.url().replace('@', ":canary-of-a-password@");
    let query = format!("{}?password=canary-of-a-password", guide.database.url());
    for url in [&url, &query] {
        for arguments in [
            &["backup", "database", "--from", url][..],
            &["backup", "drill", "--into", url],
            &["recover", "database", "--into", url],
        ] {
            let refused = guide.host.run(&[arguments, &["--json"]].concat()).expect(2);
            assert!(!refused.output().contains("canary"), "{}", refused.output());
            assert!(refused.json()["error"]["hint"].as_str().unwrap().contains("PGPASSWORD"), "{}", refused.output());
        }
    }
    // In a variable it is not in the process list, but the program accepts it nowhere.
    let mut guide = guide;
    guide.host.set("KT_ARCHIVE_BACKUP_DATABASE", url);
    for arguments in [&["backup", "database", "-v", "-v"][..], &["config", "show"]] {
        let refused = guide.host.run(arguments);
        assert!(!refused.output().contains("canary"), "{}", refused.output());
        assert!(arguments[0] == "config" || refused.code == Some(2), "{}", refused.output());
    }
    let command = "docker exec -i -e PGPASSWORD=canary-of-a-password keeptrusts-postgres";
    let refused = guide.host.run(&["backup", "database", "--pg-command", command, "--json"]).expect(2);
    assert!(!refused.output().contains("canary"), "{}", refused.output());
}
