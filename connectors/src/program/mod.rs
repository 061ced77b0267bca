//! External programs. Each has a process group, an environment and streams of its own, and is always reaped.
//!
//! A program sees only the variables that it is given. Secrets reach it by its environment, never by its arguments, which
//! every user of the host can read. Its standard error is drained all the time, kept in bounded memory, and loses the
//! secrets before it is shown. What a program leaves of its group is ended with it: a command around a program may exit before
//! the program does. Only exit code 0 is a success; an end by a signal is a failure.

mod command;
mod confine;
mod stderr;

pub use command::{CommandTemplate, CommandVariables, Finding};

use crate::{Error, ErrorKind, Result, Secret};
pub(crate) use confine::Confinement;
use confine::Keeper;
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};
use std::{
    env,
    ffi::OsString,
    fmt, io,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};
use stderr::Lines;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinSet,
    time::{sleep, timeout},
};

/// A program to run, and all that it sees of this process.
#[derive(Clone)]
pub struct Program {
    name: String,
    words: Vec<OsString>,
    variables: Vec<(String, OsString)>,
    secrets: Vec<Secret>,
    user: Option<User>,
    confinement: Option<Box<Confinement>>,
    stop_signal: Signal,
    messages: Messages,
}

/// How the standard error of a program is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages {
    /// Leaves out lines that may hold values.
    pub(crate) filter: fn(Vec<String>) -> Vec<String>,
    /// The kind of a failure with these lines, and what the user can do about it.
    pub(crate) explain: fn(&[String]) -> Option<(ErrorKind, &'static str)>,
}

/// The user that a program runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
}

/// Omits the variables, some of which are secrets.
impl fmt::Debug for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Program").field("words", &self.words).finish_non_exhaustive()
    }
}

/// Which of its streams a program shares with us. The others are `/dev/null`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pipes {
    /// Whether its standard input is a pipe.
    pub input: bool,
    /// Whether its standard output is a pipe.
    pub output: bool,
}

impl Program {
    /// The program at `path`, or found as `path` on the `PATH` that it is given. `name` is its name in messages.
    pub fn new(name: impl Into<String>, path: impl Into<OsString>) -> Self {
        Self {
            name: name.into(),
            words: vec![path.into()],
            variables: Vec::new(),
            secrets: Vec::new(),
            user: None,
            confinement: None,
            stop_signal: Signal::TERM,
            messages: Messages { filter: |lines| lines, explain: |_| None },
        }
    }

    /// Adds an argument, which holds no secret.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.words.push(argument.into());
        self
    }

    /// Adds arguments, which hold no secret.
    #[must_use]
    pub fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.words.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Sets a variable to a secret, which is left out of what the program prints to its standard error.
    #[must_use]
    pub fn secret_variable(mut self, name: impl Into<String>, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self.variable(name, secret.expose())
    }

    /// Runs it as another user, which only root may.
    #[must_use]
    pub fn user(mut self, user: Option<User>) -> Self {
        self.user = user;
        self
    }

    /// Sets the signal that asks it to end, instead of SIGTERM.
    #[must_use]
    pub(crate) fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// Sets how its standard error is read.
    #[must_use]
    pub(crate) fn messages(mut self, messages: Messages) -> Self {
        self.messages = messages;
        self
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its path, or its name on the `PATH`.
    pub(crate) fn path(&self) -> &Path {
        self.words.first().map_or_else(|| Path::new(""), Path::new)
    }

    /// The folders of its variable `LD_LIBRARY_PATH`.
    pub(crate) fn library_folders(&self) -> impl Iterator<Item = PathBuf> {
        let folders = self.variables.iter().filter(|(name, _)| name == "LD_LIBRARY_PATH");
        folders.flat_map(|(_, folders)| env::split_paths(folders)).filter(|folder| folder.is_absolute())
    }

    /// Starts it with these pipes.
    pub fn start(&self, pipes: Pipes) -> Result<Running> {
        let stdio = |is_piped| if is_piped { Stdio::piped() } else { Stdio::null() };
        let (path, arguments) = self.words.split_first().ok_or_else(|| self.fault("a program without a path"))?;
        let mut command = Command::new(path);
        command.args(arguments).env_clear().envs(self.variables.iter().cloned()).process_group(0);
        command.stdin(stdio(pipes.input)).stdout(stdio(pipes.output)).stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid).current_dir("/");
        }
        let spawned = match &self.confinement {
            Some(confinement) => confinement.spawn(command).map(|(child, keeper)| (child, Some(keeper))),
            None => command.spawn().map(|child| (child, None)),
        };
        let (mut child, keeper) = spawned.map_err(|error| self.not_started(error))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let group = group.ok_or_else(|| self.fault("a program without a process ID"))?;
        let lines = Arc::new(Mutex::new(Lines::default()));
        let mut drain = JoinSet::new();
        if let Some(stderr) = child.stderr.take() {
            drain.spawn(drain_into(stderr, Arc::clone(&lines)));
        }
        Ok(Running {
            program: self.clone(),
            input: child.stdin.take(),
            output: child.stdout.take(),
            child,
            group,
            lines,
            drain,
            _keeper: keeper,
        })
    }

    /// Runs it to its end without input, and returns its output, of at most `limit` bytes, with the lines of its standard
    /// error.
    pub async fn output(&self, limit: usize) -> Result<(Vec<u8>, Vec<String>)> {
        let mut running = self.start(Pipes { input: false, output: true })?;
        let mut output = Vec::new();
        if let Some(stdout) = running.output.take() {
            let mut limited = stdout.take(limit as u64 + 1);
            limited
                .read_to_end(&mut output)
                .await
                .map_err(|error| self.fault("could not read its output").with_source(error))?;
        }
        if output.len() > limit {
            let error = Error::new(ErrorKind::Source, format!("{} prints too much", self.name));
            return Err(error.with_context("bytes", limit));
        }
        let lines = running.finish().await?;
        Ok((output, lines))
    }

    /// Runs it to its end without input, and returns its exit code with the lines of its standard output, then those of its
    /// standard error. Only an end by a signal is a failure.
    pub(crate) async fn examine(&self) -> Result<(i32, Vec<String>)> {
        let mut running = self.start(Pipes { input: false, output: true })?;
        let printed = Arc::new(Mutex::new(Lines::default()));
        if let Some(output) = running.output.take() {
            running.drain.spawn(drain_into(output, Arc::clone(&printed)));
        }
        let status = running.wait().await?;
        let errors = running.lines().await;
        let Some(code) = status.code() else { return Err(self.failed(status, &errors)) };
        let mut lines = printed.lock().unwrap_or_else(PoisonError::into_inner).redacted(&self.secrets);
        lines.extend(errors);
        Ok((code, lines))
    }

    /// The error of an end that is no success.
    fn failed(&self, status: ExitStatus, lines: &[String]) -> Error {
        let (kind, hint) =
            (self.messages.explain)(lines).map_or((ErrorKind::Source, None), |(kind, hint)| (kind, Some(hint)));
        let error = match (status.signal(), status.code()) {
            (Some(signal), _) => {
                Error::new(kind, format!("{} was ended by a signal", self.name)).with_context("signal", signal)
            }
            (None, code) => {
                Error::new(kind, format!("{} failed", self.name)).with_context("exit code", code.unwrap_or(-1))
            }
        };
        let message = message(lines);
        let error = if message.is_empty() { error } else { error.with_context("message", message) };
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn fault(&self, message: &str) -> Error {
        Error::new(ErrorKind::Internal, message).with_context("program", &self.name)
    }

    fn not_started(&self, error: io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => ErrorKind::Configuration,
            _ => ErrorKind::Local,
        };
        let failed = Error::new(kind, format!("could not start {}", self.name));
        let failed = failed.with_context("path", self.path().display());
        let failed = failed.with_source(error);
        if kind == ErrorKind::Configuration {
            failed.with_hint("check that the program is installed, and that its user may execute it")
        } else {
            failed
        }
    }
}

/// A program that runs. Dropping it ends its process group and reaps it.
#[derive(Debug)]
pub struct Running {
    program: Program,
    /// Its standard input, if that is a pipe. Dropping it closes the pipe.
    pub input: Option<ChildStdin>,
    /// Its standard output, if that is a pipe.
    pub output: Option<ChildStdout>,
    child: Child,
    /// Also the process ID of the program.
    group: Pid,
    lines: Arc<Mutex<Lines>>,
    drain: JoinSet<()>,
    _keeper: Option<Keeper>,
}

/// How often the end of a program is looked for.
const POLL: Duration = Duration::from_millis(10);

impl Running {
    /// Waits for its end, and returns the lines of its standard error if it succeeded.
    pub async fn finish(mut self) -> Result<Vec<String>> {
        let status = self.wait().await?;
        let lines = self.lines().await;
        if status.success() { Ok(lines) } else { Err(self.program.failed(status, &lines)) }
    }

    /// Waits for its end, and ends what it leaves of its process group.
    async fn wait(&mut self) -> Result<ExitStatus> {
        self.input = None;
        while state(self.group) == State::Runs {
            sleep(POLL).await;
        }
        self.signal(Signal::KILL);
        self.child.wait().await.map_err(|error| self.program.fault("could not wait for a program").with_source(error))
    }

    /// Whether it has ended. It is reaped later.
    pub fn has_ended(&self) -> bool {
        self.child.id().is_none() || state(self.group) != State::Runs
    }

    /// The lines of its standard error without secrets, after its end.
    async fn lines(&mut self) -> Vec<String> {
        /// How long a process that it started may keep the pipe open.
        const PATIENCE: Duration = Duration::from_secs(1);
        drop(timeout(PATIENCE, async { while self.drain.join_next().await.is_some() {} }).await);
        self.lines_so_far()
    }

    /// What it has printed to its standard error so far, without secrets.
    pub(crate) fn lines_so_far(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).redacted(&self.program.secrets);
        (self.program.messages.filter)(lines)
    }

    /// Asks its process group to end, kills it after some seconds, and reaps it.
    pub async fn stop(mut self) {
        const GRACE: Duration = Duration::from_secs(10);
        if self.child.id().is_none() {
            return;
        }
        self.signal(self.program.stop_signal);
        let start = Instant::now();
        while state(self.group) == State::Runs && start.elapsed() < GRACE {
            sleep(POLL).await;
        }
        self.signal(Signal::KILL);
        drop(self.child.wait().await);
    }

    /// Signals the process group. While the program is not reaped, no other process and no other group can have its number.
    fn signal(&self, signal: Signal) {
        if state(self.group) == State::Reaped {
            return;
        }
        if let Err(error) = kill_process_group(self.group, signal)
            && error != Errno::SRCH
        {
            tracing::warn!(program = self.program.name, %error, "could not signal a program");
        }
    }
}

impl Drop for Running {
    /// As [`Running::stop`], with less patience, since it blocks the thread.
    fn drop(&mut self) {
        const GRACE: Duration = Duration::from_secs(2);
        if self.child.id().is_none() {
            return;
        }
        self.signal(self.program.stop_signal);
        let start = Instant::now();
        while state(self.group) == State::Runs && start.elapsed() < GRACE {
            thread::sleep(POLL);
        }
        self.signal(Signal::KILL);
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < 2 * GRACE {
            thread::sleep(POLL);
        }
    }
}

/// What has become of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Runs,
    /// It has ended, and keeps its number until it is reaped.
    Ended,
    /// It was reaped: by the kernel, if this process ignores SIGCHLD.
    Reaped,
}

/// The state of the child `pid`, which is not reaped.
fn state(pid: Pid) -> State {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(pid), options) {
        Ok(None) | Err(Errno::INTR) => State::Runs,
        Ok(Some(_)) => State::Ended,
        Err(_) => State::Reaped,
    }
}

/// The last lines that report an error, or else the last ones.
pub(crate) fn message(lines: &[String]) -> String {
    const LAST: usize = 4;
    let reports = |line: &&String| {
        let line = line.to_lowercase();
        line.contains("error") || line.contains("fatal") || line.contains("panic")
    };
    let reporting = lines.iter().filter(reports).map(String::as_str).collect::<Vec<_>>();
    let all = lines.iter().map(String::as_str).collect();
    let lines = if reporting.is_empty() { all } else { reporting };
    lines[lines.len().saturating_sub(LAST)..].join("; ")
}

async fn drain_into(mut pipe: impl AsyncRead + Unpin, lines: Arc<Mutex<Lines>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..length]);
    }
}

#[cfg(test)]
mod tests;
