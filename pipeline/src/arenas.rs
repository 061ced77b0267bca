//! One heap for all threads.
//!
//! glibc gives threads arenas of their own, and hardly returns what was freed in one of them to the system or to another.
//! A run hands large buffers from thread to thread, so that it would hold four times what it uses: backfilling a million
//! events took 385 MiB instead of 104, in the same time. glibc reads the limit when a process starts, and safe code cannot
//! change it afterwards; so the program starts itself anew, once, as the same process.

use std::{env, os::unix::process::CommandExt as _, process::Command};

/// glibc's variable: see `mallopt(3)`. Whoever sets it has decided.
const VARIABLE: &str = "MALLOC_ARENA_MAX";

/// Returns at once where there is nothing to do, and where it cannot be done: that costs memory, nothing else.
pub(crate) fn limit() {
    if cfg!(not(all(target_os = "linux", target_env = "gnu"))) || env::var_os(VARIABLE).is_some() {
        return;
    }
    let mut arguments = env::args_os();
    let Some(name) = arguments.next() else { return };
    drop(Command::new("/proc/self/exe").arg0(name).args(arguments).env(VARIABLE, "1").exec());
}
