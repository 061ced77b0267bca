//! What the platform's guide loses in backups and recoveries. Each test runs the commands of the guide, which do so, and then
//! the program, which does not.

mod docker;
mod drills;
mod dumps;
mod faults;
mod pruning;
mod recoveries;
mod replicas;
mod scripts;
mod secrets;

use crate::support::{
    cli::Host,
    now,
    postgres::{Database, program},
    programs::folder_with,
    test_variable,
};
use chrono::{Days, Timelike as _};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Some 400 KB of rows that do not compress.
const EVENTS: &str = "create table events (id int primary key, note text);
    insert into events select n, md5(n::text) || md5((2 * n)::text) from generate_series(1, 6000) n;
    create table configurations as select 1 as version";

/// Rows that take seconds to dump.
const MANY_EVENTS: &str = "create table events (id int primary key, note text);
    insert into events select n, md5(n::text) || md5((2 * n)::text) || md5((3 * n)::text)
    from generate_series(1, 300000) n;
    create table configurations as select 1 as version";

/// A database of the platform, a host with the program, and a folder for the dumps of the guide.
struct Guide {
    database: Database,
    host: Host,
}

/// How a command of the guide ended.
struct Ended {
    succeeded: bool,
    output: String,
}

impl Guide {
    /// A database with these contents.
    fn new(contents: &str) -> Self {
        let database = Database::new();
        database.sql(contents);
        let mut host = Host::new();
        host.set("KT_ARCHIVE_BACKUPS", host.path("backups").display().to_string());
        host.set("KT_ARCHIVE_BACKUP_DATABASE", database.url());
        host.set("KT_ARCHIVE_PG_BIN", test_variable("KT_TEST_POSTGRES_BIN"));
        fs::create_dir(host.path("guide")).unwrap();
        Self { database, host }
    }

    /// A command of the guide in the shell, with the names of this database and this folder. Programs in `folder` come first.
    fn shell_with(&self, folder: &Path, script: &str) -> Command {
        let name = self.database.name();
        let script = script
            .replace("/var/backups/keeptrusts", self.host.path("guide").to_str().unwrap())
            .replace("DB_HOST=\"db.internal\"", "DB_HOST=\"127.0.0.1\"")
            .replace("DB_NAME=\"keeptrusts\"", &format!("DB_NAME=\"{name}\""))
            .replace("DB_USER=\"keeptrusts\"", "DB_USER=\"postgres\"")
            .replace("-h db.internal", "-h 127.0.0.1")
            .replace("-U keeptrusts", "-U postgres")
            .replace("keeptrusts_verify", &self.verify_database())
            .replace("-d keeptrusts ", &format!("-d {name} "));
        let mut command = Command::new("bash");
        let port = self.database.server().rsplit_once(':').unwrap().1;
        let path = format!("{}:{}:/usr/bin:/bin", folder.display(), test_variable("KT_TEST_POSTGRES_BIN"));
        command.args(["-c", &script]).env_clear().env("PATH", path).env("PGPORT", port).env("HOME", self.host.path(""));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command of the guide.
    fn shell(&self, script: &str) -> Ended {
        let output = self.shell_with(Path::new("/nonexistent"), script).output().unwrap();
        Ended::new(&output)
    }

    /// The database that the guide's script of verification makes.
    fn verify_database(&self) -> String {
        format!("{}_verify", self.database.name())
    }

    /// The dumps in the guide's folder, as `ls -t` lists them.
    fn dumps(&self) -> Vec<PathBuf> {
        let listed = self.shell("ls -t /var/backups/keeptrusts/keeptrusts_*.dump 2>/dev/null || true");
        listed.output.lines().map(PathBuf::from).collect()
    }

    /// Backs the database up by the guide's script, and returns the dump.
    fn dump(&self) -> PathBuf {
        self.shell(scripts::BACKUP).expect_success();
        self.dumps().into_iter().next().unwrap()
    }

    /// Runs the program, and returns its document.
    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32) -> Value {
        let document = self.host.run(&[arguments, &["--json"]].concat()).expect(code).json();
        assert_eq!(document["exit"], code, "{document}");
        document
    }

    /// Backs the database up by the program.
    #[track_caller]
    fn back_up(&self) -> Value {
        self.run(&["backup", "database"], 0)
    }

    /// Paths in the folder of the backups.
    fn objects(&self) -> BTreeSet<String> {
        files_below(&self.host.path("backups"))
    }

    /// The objects of the backup with this number, by their manifest.
    fn files(&self, sequence: u64) -> Vec<PathBuf> {
        let document = self.manifest(sequence);
        let files = document["files"].as_array().unwrap().iter();
        files.map(|file| self.host.path("backups").join(file["path"].as_str().unwrap())).collect()
    }

    fn manifest(&self, sequence: u64) -> Value {
        let path = self.host.path(&format!("backups/manifests/{sequence:08}.json"));
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// How many manifests are committed.
    fn manifests(&self) -> usize {
        self.objects()
            .iter()
            .filter(|path| path.starts_with("manifests/") && path.strip_suffix(".json").is_some())
            .count()
    }

    /// Asserts that no backup is listed, and that a verification finds nothing wrong.
    #[track_caller]
    fn assert_nothing_committed(&self) {
        assert_eq!(self.manifests(), 0);
        let plan = self.run(&["recover", "plan"], 5);
        assert_eq!(plan["newest"], Value::Null, "{plan}");
    }

    /// Asserts that the next backup is whole although an earlier one was interrupted.
    #[track_caller]
    fn assert_next_is_whole(&self) {
        self.back_up();
        self.run(&["backup", "verify"], 0);
        assert_eq!(self.run(&["backup", "drill"], 0)["equal"], true);
    }

    /// The URL of another database of the server.
    fn url_of(&self, name: &str) -> String {
        format!("postgres://postgres@{}/{name}", self.database.server())
    }

    /// Names of the server's databases that begin with `prefix`.
    fn databases(&self, prefix: &str) -> Vec<String> {
        let listed = self
            .database
            .sql(&format!("select datname from pg_database where starts_with(datname, '{prefix}') order by 1"));
        listed.lines().map(str::to_owned).collect()
    }

    /// Waits until a query is true.
    #[track_caller]
    fn wait_until(&self, query: &str) {
        wait_until(&self.database.url(), query);
    }

    /// Waits until a `pg_dump` copies the rows of the events.
    #[track_caller]
    fn wait_for_copy(&self) {
        self.wait_until(&format!("select exists (select from pg_stat_activity where {})", self.copying()));
    }

    /// Ends the server's process that copies the rows of the events for a `pg_dump`.
    fn end_backend(&self) {
        let ended =
            format!("select count(pg_terminate_backend(pid)) > 0 from pg_stat_activity where {}", self.copying());
        self.wait_until(&ended);
    }

    fn copying(&self) -> String {
        format!("datname = '{}' and query like 'COPY public.events%' and state = 'active'", self.database.name())
    }

    /// Makes it so many days later for the program.
    fn set_days_later(&mut self, days: u64) {
        let later = now().checked_add_days(Days::new(days)).unwrap().with_nanosecond(0).unwrap();
        self.host.set_time(&later.format("%Y-%m-%d %H:%M:%S").to_string());
    }
}

/// The guide's drill and a switch of names leave databases.
impl Drop for Guide {
    fn drop(&mut self) {
        let listed = format!(
            "psql -h 127.0.0.1 -U postgres -d postgres -Atc \"select datname from pg_database where starts_with(datname, '{}_')\" \
             | xargs -r -n 1 dropdb -f -h 127.0.0.1 -U postgres",
            self.database.name()
        );
        drop(self.shell_with(Path::new("/nonexistent"), &listed).output());
    }
}

impl Ended {
    fn new(output: &std::process::Output) -> Self {
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        Self { succeeded: output.status.success(), output: String::from_utf8_lossy(&text).into_owned() }
    }

    #[track_caller]
    fn expect_success(self) -> String {
        assert!(self.succeeded, "{}", self.output);
        self.output
    }

    #[track_caller]
    fn expect_failure(self) -> String {
        assert!(!self.succeeded, "{}", self.output);
        self.output
    }
}

/// The files below a folder, relative to it.
fn files_below(folder: &Path) -> BTreeSet<String> {
    fn add(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(root, &path, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    add(folder, folder, &mut found);
    found
}

/// Ends a process of the guide as a crash does, with its children.
fn kill_group(child: &mut Child) {
    assert!(Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status().unwrap().success());
    child.wait().unwrap();
}

/// The output of a statement in the database of this URL.
#[track_caller]
fn sql(url: &str, statement: &str) -> String {
    let output = Command::new(program("psql")).args(["-XqAt", "-d", url, "-c", statement]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Waits until a query is true in the database of this URL.
#[track_caller]
fn wait_until(url: &str, query: &str) {
    let start = Instant::now();
    while sql(url, query) != "t" {
        assert!(start.elapsed() < Duration::from_secs(60), "{query}");
        sleep(Duration::from_millis(10));
    }
}

/// A folder with a `pg_dump` that dumps no rows, with exit code 0, as one with wrong options does.
fn dumps_without_rows() -> tempfile::TempDir {
    let real = program("pg_dump").display().to_string();
    folder_with(&[("pg_dump", format!("exec {real} \"$@\" --exclude-table-data='*'"))])
}

/// Changes the bytes of a file.
fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Codes of the findings of a verification.
fn codes(document: &Value) -> Vec<&str> {
    document["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}
