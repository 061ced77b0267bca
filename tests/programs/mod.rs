//! PostgreSQL's own programs, as backups use them: dumps, restores, scratch clusters, and commands around them.

mod clusters;
mod commands;
mod dumps;
mod restores;

use crate::support::{
    postgres::{Database, program},
    programs::{folder_with, options_in, path_variable, run, write_script},
    test_variable,
};
use archive_connectors::{
    Error,
    postgres::{
        Server,
        programs::{Dump, DumpOptions, ProgramOptions, Programs, WholeDump},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Rows that do not compress: some 130 bytes each.
fn large_table(rows: u32) -> String {
    format!(
        "create table large (id int primary key, note text);
         insert into large select n, md5(n::text) || md5((2 * n)::text) || md5((3 * n)::text) || md5((5 * n)::text)
         from generate_series(1, {rows}) n"
    )
}

/// The programs of the tests' server.
fn programs() -> Programs {
    programs_in(Path::new(&test_variable("KT_TEST_POSTGRES_BIN")))
}

fn programs_in(folder: &Path) -> Programs {
    Programs::new(options_in(folder), Some(major()))
}

/// The major version of the tests' server.
fn major() -> u32 {
    let output = Command::new(program("postgres")).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let version = text.split_once("(PostgreSQL) ").unwrap().1;
    version.split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn server(database: &Database) -> Server {
    Server::new(&database.url(), &|_| None).unwrap()
}

/// Reads a dump to its end.
async fn dump_with(programs: &Programs, server: &Server, options: &DumpOptions) -> Result<(Vec<u8>, WholeDump), Error> {
    let mut dump = Dump::start(programs, server, options).await?;
    let mut bytes = Vec::new();
    while let Some(block) = dump.next_block().await {
        bytes.extend_from_slice(&block);
    }
    Ok((bytes, dump.finish().await?))
}

async fn dump(programs: &Programs, server: &Server) -> Result<(Vec<u8>, WholeDump), Error> {
    dump_with(programs, server, &DumpOptions::default()).await
}

/// Programs whose processes differ from those of other tests by a folder on their PATH.
struct Marked {
    programs: Programs,
    marker: String,
}

impl Marked {
    fn new() -> Self {
        let marker = format!("/nonexistent/{}", uuid::Uuid::new_v4());
        let path = |name: &str| (name == "PATH").then(|| format!("/usr/bin:/bin:{marker}"));
        let folder = PathBuf::from(test_variable("KT_TEST_POSTGRES_BIN"));
        let programs = Programs::new(ProgramOptions::new(Some(folder), None, &path), Some(major()));
        Self { programs, marker }
    }

    /// The numbers and command lines of the processes.
    fn processes(&self) -> Vec<(String, String)> {
        let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let read = |path: PathBuf| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
        let found = entries.filter_map(|folder| {
            let pid = folder.file_name()?.to_str()?.to_owned();
            let is_ours = read(folder.join("environ")).ok()?.contains(&self.marker);
            is_ours.then_some((pid, read(folder.join("cmdline")).ok()?))
        });
        found.collect()
    }
}
