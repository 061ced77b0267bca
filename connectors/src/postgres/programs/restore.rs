//! Restores a dump into a database by `pg_restore`.
//!
//! The database exists and is empty. A restore stops at the first error, and what it has restored until then stays.

use super::{
    super::config::Server,
    environment::database_argument,
    find::{FoundProgram, ProgramName, Programs},
};
use crate::{
    Error, ErrorKind, Result,
    program::{Pipes, Program},
};
use archive_formats::backup_manifest::ProgramRecord;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use std::{num::NonZero, path::Path, pin::pin};
use tokio::io::AsyncWriteExt as _;

/// Restores the dump with these blocks into the database of `server`, by one session.
pub async fn restore_stream(
    programs: &Programs,
    server: &Server,
    blocks: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<ProgramRecord> {
    let (found, arguments, program) = restorer(programs, server, &[]).await?;
    let warnings = feed(program, blocks).await?;
    Ok(found.record(arguments, warnings))
}

/// Reads the dump with these blocks to its end, without a database. `major` is the version of the `pg_dump` that made it.
pub async fn read_stream(
    programs: &Programs,
    major: u32,
    blocks: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<()> {
    let program = programs.reader(major).await?.program.clone().arguments(["--format=custom", "--file=/dev/null"]);
    feed(program, blocks).await.map(drop)
}

/// Writes blocks to the standard input of a program, and returns its warnings.
async fn feed(program: Program, blocks: impl Stream<Item = Result<Bytes>> + Send) -> Result<Vec<String>> {
    let mut running = program.start(Pipes { input: true, output: false })?;
    let input = running.input.take();
    let mut input = input.ok_or_else(|| Error::new(ErrorKind::Internal, "a program without a pipe"))?;
    let mut blocks = pin!(blocks);
    let mut is_taken = true;
    while is_taken && let Some(block) = blocks.next().await {
        // The program reports itself why it reads no more.
        is_taken = input.write_all(&block?).await.is_ok();
    }
    drop(input);
    let ended = running.finish().await;
    if ended.is_err() {
        // A damaged part is the better reason, and is known at its end.
        while let Some(block) = blocks.next().await {
            block?;
        }
    }
    let warnings = ended?;
    if is_taken { Ok(warnings) } else { Err(Error::new(ErrorKind::Source, "the dump goes on after its end")) }
}

/// Restores the dump in the file `path` into the database of `server`, by `jobs` sessions.
pub async fn restore_file(
    programs: &Programs,
    server: &Server,
    path: &Path,
    jobs: NonZero<usize>,
) -> Result<ProgramRecord> {
    let (found, arguments, program) = restorer(programs, server, &[format!("--jobs={jobs}")]).await?;
    let warnings = program.argument(path).start(Pipes::default())?.finish().await?;
    Ok(found.record(arguments, warnings))
}

/// The program, its arguments without those of the connection, and with them.
async fn restorer(
    programs: &Programs,
    server: &Server,
    further: &[String],
) -> Result<(FoundProgram, Vec<String>, Program)> {
    let found = programs.local(ProgramName::Restore).await?;
    // A subscription would keep a copy from being dropped, and belongs to a database that lives.
    let fixed = ["--format=custom", "--exit-on-error", "--no-password", "--no-subscriptions"].map(str::to_owned);
    let arguments = [&fixed, further].concat();
    let program = server.connect_program(found.program.clone().arguments(&arguments)).await?;
    let program = program.argument(format!("--dbname={}", database_argument(server.database())));
    Ok((found, arguments, program))
}
