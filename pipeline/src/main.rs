//! `kt-archive`: hands arguments and environment to the command line, and its exit code to the system.

mod arenas;

use archive::{cli, environment::Environment, exit::ExitCode};
use std::{env, process, time::Duration};

/// How long blocking threads may still finish what they do, once the outcome is known.
const LINGER: Duration = Duration::from_millis(500);

fn main() -> process::ExitCode {
    arenas::limit();
    // A service without HOME still has a home folder in the user database.
    let home = env::home_dir().map(|home| ("HOME".into(), home.into_os_string()));
    let environment = Environment::from_os(home.into_iter().chain(env::vars_os()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let exit = match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(cli::main(env::args_os(), environment));
            runtime.shutdown_timeout(LINGER);
            exit
        }
        Err(error) => {
            cli::cannot_start(&error);
            ExitCode::Failed
        }
    };
    exit.code().into()
}
