//! The entry point of `kt-archive`: arguments and environment in, exit code out.

use archive::{environment::Environment, exit::ExitCode};
use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{self, Command},
    time::Duration,
};

/// How long blocking threads may go on once the outcome is printed.
const LINGER: Duration = Duration::from_millis(500);

fn main() -> process::ExitCode {
    use_one_arena();
    // A service without HOME still has a home folder in the user database.
    let home = env::home_dir().map(|home| ("HOME".into(), home.into_os_string()));
    let environment = Environment::from_os(home.into_iter().chain(env::vars_os()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let exit = match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(archive_cli::main(env::args_os(), environment));
            runtime.shutdown_timeout(LINGER);
            exit
        }
        Err(error) => {
            archive_cli::cannot_start(&error);
            ExitCode::Failed
        }
    };
    exit.code().into()
}

/// glibc's variable; see `mallopt(3)`.
const ARENA_MAX: &str = "MALLOC_ARENA_MAX";

/// Starts the program anew, once and as the same process, with one heap for all threads.
///
/// glibc gives threads arenas of their own, and hardly returns memory that was freed in one of them to the system or to
/// another. A run hands large buffers from thread to thread: a backfill of a million events took 385 MiB instead of 104,
/// in the same time. glibc reads the limit when a process starts, and safe code cannot change it afterwards.
///
/// Returns where a user has set the variable, and where starting anew fails: that costs memory only.
fn use_one_arena() {
    if cfg!(not(all(target_os = "linux", target_env = "gnu"))) || env::var_os(ARENA_MAX).is_some() {
        return;
    }
    let mut arguments = env::args_os();
    let Some(name) = arguments.next() else { return };
    drop(Command::new("/proc/self/exe").arg0(name).args(arguments).env(ARENA_MAX, "1").exec());
}
