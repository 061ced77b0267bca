use super::*;
use std::fs;

fn shell(script: &str) -> Program {
    Program::new("script", "/bin/sh").arguments(["-c", script])
}

#[tokio::test]
async fn output_and_standard_error_of_a_success_are_returned() {
    let (output, lines) = shell("echo out; echo problem >&2").output(100).await.unwrap();
    assert_eq!((output.as_slice(), lines), (b"out\n".as_slice(), vec!["problem".to_owned()]));
}

#[tokio::test]
async fn exit_code_and_last_lines_of_a_failure_are_reported() {
    let error = shell("echo first >&2; echo 'no \x1b[2J' >&2; exit 3").output(100).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert_eq!(error.to_string(), "script failed (exit code: 3, message: first; no \\u001b[2J)");
}

#[tokio::test]
async fn end_by_a_signal_is_a_failure() {
    let error = shell("kill -KILL $$").output(100).await.unwrap_err();
    assert_eq!(error.to_string(), "script was ended by a signal (signal: 9)");
}

#[tokio::test]
async fn output_beyond_the_limit_is_a_failure() {
    let error = shell("while :; do echo xxxxxxxxxxxxxxxx; done").output(64).await.unwrap_err();
    assert_eq!(error.to_string(), "script prints too much (bytes: 64)");
}

#[tokio::test]
async fn only_given_variables_are_seen() {
    let secret = Secret::new("canary".to_owned());
    let program = Program::new("env", "/usr/bin/env").variable("A", "b").secret_variable("S", &secret);
    let (output, _) = program.output(1000).await.unwrap();
    assert_eq!(String::from_utf8(output).unwrap(), "A=b\nS=canary\n");
}

#[tokio::test]
async fn secrets_are_left_out_of_errors() {
    let program = shell("echo \"login as $S failed\" >&2; exit 1");
    let error = program.secret_variable("S", &Secret::new("canary".to_owned())).output(10).await.unwrap_err();
    assert!(error.to_string().contains("login as [secret] failed"), "{error}");
}

#[tokio::test]
async fn full_standard_error_does_not_block_the_program() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo 'a line of some length' >&2; i=$((i+1)); done; echo done";
    let (output, lines) = shell(script).output(100).await.unwrap();
    assert_eq!(output, b"done\n");
    assert!(lines.len() < 100, "{}", lines.len());
}

#[tokio::test]
async fn missing_program_is_a_configuration_error() {
    let error = Program::new("pg_dump", "/nowhere/pg_dump").output(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(error.to_string(), "could not start pg_dump (path: /nowhere/pg_dump)");
}

/// A script whose child ignores SIGTERM; both append their numbers to the file.
fn stubborn(file: &Path) -> Program {
    let file = file.display();
    shell(&format!("(trap '' TERM; sh -c 'echo $PPID' >> {file}; while :; do sleep 1; done) & echo $$ >> {file}; wait"))
        .variable("PATH", "/usr/bin:/bin")
}

async fn numbers(file: &Path) -> Vec<i32> {
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text.lines().count() == 2 {
            return text.lines().map(|line| line.parse().unwrap()).collect();
        }
        sleep(POLL).await;
    }
}

fn is_alive(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit(") ").next().unwrap().starts_with('Z')
}

#[tokio::test]
async fn drop_ends_the_whole_group_and_reaps_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("numbers");
    let running = stubborn(&file).start(Pipes::default()).unwrap();
    let (own, found) = (running.group.as_raw_pid(), numbers(&file).await);
    drop(running);
    assert!(!Path::new(&format!("/proc/{own}")).try_exists().unwrap(), "{own} was not reaped");
    for pid in found {
        assert_ends(pid).await;
    }
}

async fn assert_ends(pid: i32) {
    let start = Instant::now();
    while is_alive(pid) {
        assert!(start.elapsed() < Duration::from_secs(10), "{pid} is alive");
        sleep(POLL).await;
    }
}

#[tokio::test]
async fn programs_that_a_wrapper_leaves_are_ended() {
    for status in [0, 1] {
        let script = format!("sleep 60 >/dev/null 2>&1 & echo $!; exit {status}");
        let mut running =
            shell(&script).variable("PATH", "/usr/bin:/bin").start(Pipes { input: false, output: true }).unwrap();
        let mut printed = String::new();
        running.output.take().unwrap().read_to_string(&mut printed).await.unwrap();
        assert_eq!(running.finish().await.is_ok(), status == 0);
        assert_ends(printed.trim().parse().unwrap()).await;
    }
}

#[tokio::test]
async fn stop_asks_before_it_kills() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asked");
    let script = format!("trap 'echo asked > {}; exit' TERM; echo ready; while :; do sleep 0.01; done", file.display());
    let program = shell(&script).variable("PATH", "/usr/bin:/bin");
    let mut running = program.start(Pipes { input: false, output: true }).unwrap();
    running.output.as_mut().unwrap().read_exact(&mut [0; 6]).await.unwrap();
    assert!(!running.has_ended());
    running.stop().await;
    assert_eq!(fs::read_to_string(file).unwrap(), "asked\n");
}
