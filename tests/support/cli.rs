//! Runs the built program with only the environment that the test sets.

use super::platform::{SIGNATURE, TOKEN};
use serde_json::Value;
use std::{
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A longer run is considered hung.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Variables whose values no output and no file of any test may hold.
const SECRETS: [&str; 4] = ["KEEPTRUSTS_API_TOKEN", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "KT_ARCHIVE_NOTIFY"];

/// A host with its home, its clock and its zone.
#[derive(Debug)]
pub(crate) struct Host {
    home: TempDir,
    environment: Vec<(String, String)>,
    time: Option<String>,
}

/// Result of a finished process.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The exit code; `None` if a signal ended the process.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running process.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    secrets: Vec<String>,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Host {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut host = Self { home, environment: Vec::new(), time: None };
        let state = host.path("state").display().to_string();
        host.set("PATH", "/usr/local/bin:/usr/bin:/bin");
        host.set("HOME", host.home.path().display().to_string());
        host.set("XDG_STATE_HOME", state);
        host.set("TZ", "UTC");
        host
    }

    /// Sets a variable for the program.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Makes the program start at `time`, such as `2025-04-10 03:00:00`, in the host's zone.
    pub(crate) fn set_time(&mut self, time: &str) {
        self.time = Some(time.to_owned());
    }

    /// A path in the home folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A command of the program on this host.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kt-archive"));
        self.prepare(command.args(arguments));
        command
    }

    /// Gives a command this host's folder, environment and clock.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.home.path()).stdin(Stdio::null());
        if let Some(time) = &self.time {
            command.env("LD_PRELOAD", faketime_library()).env("FAKETIME", format!("@{time}"));
            // Timers use the monotonic clock, which must stay real.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.start_under(&[], arguments)
    }

    /// Runs the program to its end, as the child of another one, such as `strace`.
    pub(crate) fn run_under(&self, parent: &[&str], arguments: &[&str]) -> Outcome {
        self.start_under(parent, arguments).wait()
    }

    fn start_under(&self, parent: &[&str], arguments: &[&str]) -> Running {
        let outputs = tempfile::Builder::new().prefix("output-").tempdir_in(self.home.path()).unwrap().keep();
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| outputs.join(name));
        let mut command = match parent {
            [] => self.command(arguments),
            [program, options @ ..] => {
                let mut command = Command::new(program);
                self.prepare(command.args(options).arg(env!("CARGO_BIN_EXE_kt-archive")).args(arguments));
                command
            }
        };
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        Running { child: command.spawn().unwrap(), secrets: self.secrets(), stdout, stderr }
    }

    /// What must not be printed or stored: long enough not to be there by chance.
    fn secrets(&self) -> Vec<String> {
        const SHORTEST: usize = 8;
        let values = self.environment.iter().filter(|(name, _)| SECRETS.contains(&name.as_str()));
        let values = values.map(|(_, value)| value.clone()).filter(|value| value.len() >= SHORTEST);
        values.chain([TOKEN, SIGNATURE].map(str::to_owned)).collect()
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.start(arguments).wait()
    }

    /// Default folder of the program's journal, spool and staging.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.path("state/kt-archive")
    }
}

/// Whatever a test is about, the files that its runs leave hold no secret. Those of the test itself are its own matter.
impl Drop for Host {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert_no_secret_below(self.home.path(), &self.secrets());
        }
    }
}

fn assert_no_secret_below(folder: &Path, secrets: &[String]) {
    // Files that a test writes for the program to read a secret from.
    const OF_TESTS: [&str; 3] = ["token", ".pgpass", "password"];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            assert_no_secret_below(&path, secrets);
        } else if kind.is_file() && !OF_TESTS.iter().any(|name| path.ends_with(name)) {
            let content = fs::read(&path).unwrap_or_default();
            let secret = secrets.iter().find(|secret| memchr::memmem::find(&content, secret.as_bytes()).is_some());
            assert!(secret.is_none(), "{} holds {secret:?}", path.display());
        }
    }
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process is still there.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().unwrap();
        assert!(sent.success(), "could not send {name}");
    }

    /// Kills the process, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn wait(mut self) -> Outcome {
        let deadline = Instant::now() + TIMEOUT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("the program hangs; its output:\n{}\n{}", read(&self.stdout), read(&self.stderr));
            }
            thread::sleep(Duration::from_millis(5));
        };
        let (stdout, stderr) = (read(&self.stdout), read(&self.stderr));
        let printed = self.secrets.iter().find(|secret| stdout.contains(*secret) || stderr.contains(*secret));
        assert!(printed.is_none(), "printed {printed:?}\nstdout:\n{stdout}\nstderr:\n{stderr}");
        Outcome { code: status.code(), signal: status.signal(), stdout, stderr }
    }
}

impl Outcome {
    /// Fails the test with the program's output unless it exited with `code`, with a hint if that is an error. A signal is
    /// none: its line says what to do.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        let Self { code: actual, signal, stdout, stderr } = &self;
        assert_eq!(*actual, Some(code), "signal: {signal:?}\nstdout:\n{stdout}\nstderr:\n{stderr}");
        let has_hint = [stdout, stderr].iter().any(|text| text.contains("hint: ") || text.contains("\"hint\":\""));
        let is_help = stderr.contains("Usage:");
        let is_signal = matches!(code, 130 | 143) && stderr.contains("; run the same command again");
        assert!(code == 0 || has_hint || is_help || is_signal, "no hint\nstdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }

    /// The document of `--json`.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|error| panic!("{error}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }

    /// Stdout and stderr.
    pub(crate) fn output(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

/// Path of the library of `faketime`. Its wrapper would catch signals, so it only prints the path. It fails if a process
/// of the same number was killed with the library loaded, so it is retried.
pub(crate) fn faketime_library() -> String {
    let ask = |_| {
        let asked = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
        let asked = asked.expect("`faketime` is needed: `tests/run` installs it");
        Some(String::from_utf8(asked.stdout).unwrap().trim().to_owned()).filter(|path| !path.is_empty())
    };
    (0..10).find_map(ask).expect("`faketime` names no library")
}
