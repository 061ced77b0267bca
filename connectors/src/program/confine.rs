//! Limits of a program that runs code of others, and its end with this process.
//!
//! Both are properties of the thread that starts a program, so that each confined program has such a thread of its own. On
//! Linux the kernel lets the program, and all that it starts, neither gain rights (`no_new_privs`) nor, where it has Landlock
//! (5.13 and later, more rights with each version), reach other files, TCP, and the processes of others.

use super::Program;
use rustix::process::Signal;
use std::{
    io,
    path::PathBuf,
    sync::mpsc::{Sender, channel},
    thread,
};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
};

/// The only files that a program may reach, as far as the rights of its user allow it. Those that do not exist do not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Confinement {
    /// Files and folders to read.
    pub(crate) readable: Vec<PathBuf>,
    /// Files and folders to read and to execute.
    pub(crate) executable: Vec<PathBuf>,
    /// Files and folders to change.
    pub(crate) writable: Vec<PathBuf>,
}

/// Keeps the thread that started a program. The thread ends after it is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    _end: Sender<()>,
}

impl Confinement {
    /// Starts `command` within the limits.
    pub(super) fn spawn(&self, mut command: Command) -> io::Result<(Child, Keeper)> {
        let (confinement, runtime) = (self.clone(), Handle::current());
        let (report, started) = channel();
        let (end, ended) = channel::<()>();
        let work = move || {
            let runtime = runtime.enter();
            let child = confinement.restrict_thread().and_then(|()| command.spawn());
            drop(runtime);
            if report.send(child).is_ok() {
                // Until the other end is dropped.
                while ended.recv().is_ok() {}
            }
        };
        thread::Builder::new().name("confined".to_owned()).spawn(work)?;
        let child = started.recv().map_err(io::Error::other)??;
        Ok((child, Keeper { _end: end }))
    }

    #[cfg(target_os = "linux")]
    fn restrict_thread(&self) -> io::Result<()> {
        use landlock::{
            ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
            RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
        };
        let (read, all) = (AccessFs::ReadFile | AccessFs::ReadDir, AccessFs::from_all(ABI::V5));
        let restrict = || {
            let rules = Ruleset::default()
                .set_compatibility(CompatLevel::BestEffort)
                .handle_access(all)?
                .handle_access(AccessNet::from_all(ABI::V4))?
                .scope(Scope::from_all(ABI::V6))?
                .create()?
                .add_rules(path_beneath_rules(&self.readable, read))?
                .add_rules(path_beneath_rules(&self.executable, read | AccessFs::Execute))?
                .add_rules(path_beneath_rules(&self.writable, all & !AccessFs::Execute))?;
            rules.restrict_self()
        };
        let status = restrict().map_err(|error: RulesetError| io::Error::other(error))?;
        if status.ruleset == RulesetStatus::NotEnforced {
            tracing::warn!("this kernel has no Landlock: code in a dump has the rights of the scratch server's user");
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as on Linux")]
    fn restrict_thread(&self) -> io::Result<()> {
        tracing::warn!("no sandbox on this system: code in a dump has the rights of the scratch server's user");
        Ok(())
    }
}

impl Program {
    /// Confines it.
    #[must_use]
    pub(crate) fn confinement(mut self, confinement: Confinement) -> Self {
        self.confinement = Some(Box::new(confinement));
        self
    }

    /// Makes the kernel send it the signal that asks it to end when this process dies. It needs the `setpriv` of util-linux,
    /// a confinement, whose thread lives as long as the program, and does nothing without them.
    pub(crate) async fn ending_with_this_process(mut self) -> Self {
        const SETPRIV: &str = "/usr/bin/setpriv";
        const LIMIT: usize = 4096;
        let signal = if self.stop_signal == Signal::QUIT { "QUIT" } else { "TERM" };
        let setpriv = Self::new("setpriv", SETPRIV).arguments(["--pdeathsig", signal]);
        let has_option = match setpriv.clone().argument("--version").output(LIMIT).await {
            Ok((version, _)) => String::from_utf8_lossy(&version).contains("util-linux"),
            Err(error) => {
                tracing::debug!(%error, "the server goes on if this process is killed, until the next one");
                false
            }
        };
        if let Some(confinement) = self.confinement.as_mut().filter(|_| has_option) {
            confinement.executable.push(SETPRIV.into());
            self.words.splice(0..0, setpriv.words.into_iter().chain(["--".into()]));
        }
        self
    }
}
