//! A dump as a stream of bytes that `pg_restore` reads to its end at the same time.

use super::{
    super::config::Server,
    environment::database_argument,
    find::{FoundProgram, ProgramName, Programs},
    header::{ArchiveHeader, Compression},
};
use crate::{
    Error, ErrorKind, Result,
    program::{Pipes, Running},
};
use archive_formats::backup_manifest::ProgramRecord;
use bytes::{Bytes, BytesMut};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::ChildStdin,
    sync::mpsc,
    task::{JoinError, JoinSet},
};

/// Bytes of a block.
const BLOCK: usize = 128 * 1024;

/// Blocks that wait for the caller, and as many for `pg_restore`. When they are full, `pg_dump` waits.
const WAITING: usize = 8;

/// What to dump, and how.
#[derive(Clone, Debug, Default)]
pub struct DumpOptions {
    /// The exported snapshot to read; by default one of its own.
    pub snapshot: Option<String>,
    /// The compression.
    pub compression: Compression,
    /// How long to wait for the lock of a table; by default for ever.
    pub lock_timeout: Option<Duration>,
}

/// A dump that is being made. It counts only once [`Dump::finish`] returns it as a [`WholeDump`]. Dropping it ends all
/// programs.
#[derive(Debug)]
pub struct Dump {
    program: FoundProgram,
    arguments: Vec<String>,
    header: ArchiveHeader,
    first: Option<Bytes>,
    blocks: mpsc::Receiver<Bytes>,
    /// Reads the output of `pg_dump`.
    reading: JoinSet<std::result::Result<(), Interruption>>,
    /// Writes it to `pg_restore`.
    writing: JoinSet<io::Result<()>>,
    dumper: Running,
    reader: Running,
    bytes: u64,
    has_ended: bool,
}

/// Why the output of `pg_dump` was not read to its end.
#[derive(Debug)]
enum Interruption {
    Io(io::Error),
    /// The caller or `pg_restore` takes no more blocks.
    NotTaken,
}

/// A dump whose bytes were all passed on. `pg_dump` succeeded, and so did the `pg_restore` that read the same bytes.
#[derive(Clone, Debug)]
pub struct WholeDump {
    record: ProgramRecord,
    header: ArchiveHeader,
    bytes: u64,
}

impl WholeDump {
    /// The run of `pg_dump`.
    pub fn record(&self) -> &ProgramRecord {
        &self.record
    }

    /// The header of the dump.
    pub fn header(&self) -> &ArchiveHeader {
        &self.header
    }

    /// The size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Dump {
    /// Starts a dump of the database of `server`. Returns once the first bytes are there.
    pub async fn start(programs: &Programs, server: &Server, options: &DumpOptions) -> Result<Self> {
        let found = programs.client(ProgramName::Dump).await?;
        let reader = programs.reader(found.major).await?;
        let mut arguments =
            vec!["--format=custom".to_owned(), "--no-password".to_owned(), options.compression.argument(found.major)];
        arguments.extend(options.snapshot.as_ref().map(|name| format!("--snapshot={name}")));
        arguments.extend(options.lock_timeout.map(|limit| format!("--lock-wait-timeout={}", limit.as_millis().max(1))));
        let program = found.program.clone().arguments(&arguments);
        let program = if found.is_behind_command {
            let database = database_argument(server.database());
            server.connect_behind_command(program).await?.argument(format!("--dbname={database}"))
        } else {
            server.connect_program(program).await?
        };
        tracing::debug!(version = found.version, ?arguments, "starting pg_dump");
        let mut dumper = program.start(Pipes { input: false, output: true })?;
        let mut stdout = dumper.output.take().ok_or_else(no_pipe)?;
        // The longest header fits into the first block.
        let first = read_block(&mut stdout).await.map_err(unreadable)?;
        if first.is_empty() {
            let ended = dumper.finish().await;
            return Err(ended.err().unwrap_or_else(|| Error::new(ErrorKind::Source, "pg_dump printed nothing")));
        }
        let header = match ArchiveHeader::parse(&first[..first.len().min(ArchiveHeader::BYTES)], server.database()) {
            Ok(header) => header,
            // It has ended, and may have another reason.
            Err(error) if first.len() < BLOCK => return Err(dumper.finish().await.err().unwrap_or(error)),
            Err(error) => return Err(error),
        };
        let reading_program = reader.program.clone().arguments(["--format=custom", "--file=/dev/null"]);
        let mut reader = reading_program.start(Pipes { input: true, output: false })?;
        let input = reader.input.take().ok_or_else(no_pipe)?;
        let (to_caller, blocks) = mpsc::channel(WAITING);
        let (to_reader, for_reader) = mpsc::channel(WAITING);
        let (mut reading, mut writing) = (JoinSet::new(), JoinSet::new());
        writing.spawn(write_blocks(input, for_reader));
        let block = first.clone();
        reading.spawn(async move {
            to_reader.send(block).await.map_err(|_| Interruption::NotTaken)?;
            read_blocks(stdout, to_caller, to_reader).await
        });
        Ok(Self {
            program: found,
            arguments,
            header,
            first: Some(first),
            blocks,
            reading,
            writing,
            dumper,
            reader,
            bytes: 0,
            has_ended: false,
        })
    }

    /// The header of the dump.
    pub fn header(&self) -> &ArchiveHeader {
        &self.header
    }

    /// The next block, of at most 128 KiB; `None` after the last one.
    pub async fn next_block(&mut self) -> Option<Bytes> {
        let block = match self.first.take() {
            Some(first) => Some(first),
            None => self.blocks.recv().await,
        };
        match &block {
            Some(block) => self.bytes += block.len() as u64,
            None => self.has_ended = true,
        }
        block
    }

    /// Waits for the end of `pg_dump`, and of the `pg_restore` that reads the dump. Fails unless [`Dump::next_block`] has
    /// returned all blocks, and both succeed.
    pub async fn finish(mut self) -> Result<WholeDump> {
        if !self.has_ended {
            return Err(Error::new(ErrorKind::Internal, "a dump was finished before it was read to its end"));
        }
        let read = self.reading.join_next().await.transpose().map_err(stopped)?;
        let written = self.writing.join_next().await.transpose().map_err(stopped)?;
        if let Some(Err(Interruption::Io(error))) = read {
            return Err(unreadable(error));
        }
        // pg_restore fails, too, where pg_dump did.
        if !matches!(read, Some(Err(Interruption::NotTaken))) {
            let warnings = self.dumper.finish().await?;
            self.reader.finish().await.map_err(not_readable)?;
            return match written {
                Some(Ok(())) => {
                    let record = self.program.record(self.arguments, warnings);
                    Ok(WholeDump { record, header: self.header, bytes: self.bytes })
                }
                _ => Err(too_long()),
            };
        }
        self.dumper.stop().await;
        Err(self.reader.finish().await.err().map_or_else(too_long, not_readable))
    }
}

/// Reads until a block is full or the stream ends.
async fn read_block(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let mut block = BytesMut::with_capacity(BLOCK);
    while block.len() < BLOCK {
        let room = (BLOCK - block.len()) as u64;
        if from.take(room).read_buf(&mut block).await? == 0 {
            break;
        }
    }
    Ok(block.freeze())
}

async fn read_blocks(
    mut stdout: impl AsyncRead + Unpin,
    to_caller: mpsc::Sender<Bytes>,
    to_reader: mpsc::Sender<Bytes>,
) -> std::result::Result<(), Interruption> {
    loop {
        let block = read_block(&mut stdout).await.map_err(Interruption::Io)?;
        if block.is_empty() {
            return Ok(());
        }
        to_reader.send(block.clone()).await.map_err(|_| Interruption::NotTaken)?;
        to_caller.send(block).await.map_err(|_| Interruption::NotTaken)?;
    }
}

async fn write_blocks(mut input: ChildStdin, mut blocks: mpsc::Receiver<Bytes>) -> io::Result<()> {
    while let Some(block) = blocks.recv().await {
        input.write_all(&block).await?;
    }
    input.shutdown().await
}

fn no_pipe() -> Error {
    Error::new(ErrorKind::Internal, "a program without a pipe")
}

fn unreadable(error: io::Error) -> Error {
    Error::new(ErrorKind::Local, "could not read the output of pg_dump").with_source(error)
}

fn stopped(error: JoinError) -> Error {
    Error::new(ErrorKind::Internal, "passing on the dump was interrupted").with_source(error)
}

fn not_readable(error: Error) -> Error {
    Error::new(ErrorKind::Source, "the dump cannot be read to its end").with_context("reason", &error).with_source(error).with_hint(
        "run the same command again; a command around pg_dump must pass its output on unchanged, and its input to pg_restore (docker \
         exec -i)",
    )
}

fn too_long() -> Error {
    Error::new(ErrorKind::Source, "the dump goes on after its end").with_hint("run the same command again")
}
