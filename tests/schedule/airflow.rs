//! The DAG, compiled and run by Python with a stub of Airflow, which is too large to install for the tests.

use super::{NASTY, host_with_printer, job, piped, python, settings};
use crate::support::{cli::Host, test_variable};
use std::{fs, process::Command};

/// A stub of the parts of Airflow that the DAG uses, which runs its task.
const AIRFLOW: &str = r#"
import sys, types

class Failed(Exception): pass
class Hopeless(Exception): pass

def dag(**kwargs):
    assert kwargs["schedule"] == "0 4 1-3 * *" and kwargs["catchup"] is False and kwargs["max_active_runs"] == 1
    return lambda function: function

def task(**kwargs):
    assert kwargs["retries"] > 0
    return lambda function: function

class Variable:
    @staticmethod
    def get(name): return "value of " + name

sdk = types.ModuleType("airflow.sdk")
sdk.dag, sdk.task, sdk.Variable = dag, task, Variable
exceptions = types.ModuleType("airflow.sdk.exceptions")
exceptions.AirflowException, exceptions.AirflowFailException = Failed, Hopeless
sys.modules.update({"airflow": types.ModuleType("airflow"), "airflow.sdk": sdk, "airflow.sdk.exceptions": exceptions})
try:
    exec(compile(sys.stdin.read(), "kt_archive.py", "exec"), {})
except (Failed, Hopeless) as error:
    print(type(error).__name__)
"#;

#[test]
fn dag_compiles() {
    let host = Host::new();
    for arguments in [&["--source", "demo:"][..], &["--source", "https://api.example", "--archive", "s3://b/x"]] {
        let file = host.path("kt_archive.py");
        fs::write(&file, job(&host, "airflow", arguments)).unwrap();
        let mut compile = Command::new(test_variable("KT_TEST_PYTHON"));
        piped(compile.args(["-W", "error", "-m", "py_compile"]).arg(&file), "");
    }
}

#[test]
fn task_archives_the_last_month() {
    let host = Host::new();
    let dag = job(&host, "airflow", &["--source", "demo:?events=50", "--archive", "it's 100%"]);
    assert!(python(AIRFLOW, &dag).contains("archived"), "{dag}");
    assert!(host.path("it's 100%/manifests/00000001.json").is_file());
}

#[test]
fn final_exit_codes_are_not_retried() {
    let host = Host::new();
    for (code, outcome) in
        [(0, ""), (2, "Hopeless"), (4, "Hopeless"), (5, "Hopeless"), (9, "Hopeless"), (75, "Failed"), (7, "Failed")]
    {
        let program = host.path("program");
        fs::write(&program, format!("#!/bin/sh\nexit {code}\n")).unwrap();
        Command::new("chmod").arg("+x").arg(&program).status().unwrap();
        let dag = job(&host, "airflow", &["--source", "demo:", "--program", &program.display().to_string()]);
        assert_eq!(python(AIRFLOW, &dag).trim(), outcome, "exit code {code}");
    }
}

#[test]
fn secrets_are_variables_of_airflow() {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_NOTIFY", "https://hooks.example/canary");
    let program = host.path("program");
    fs::write(&program, "#!/bin/sh\necho \"$KEEPTRUSTS_API_TOKEN, $KT_ARCHIVE_NOTIFY\"\n").unwrap();
    Command::new("chmod").arg("+x").arg(&program).status().unwrap();
    let arguments = ["--source", "https://api.example", "--program", &program.display().to_string()];
    let printed = python(AIRFLOW, &job(&host, "airflow", &arguments));
    let expected = "value of kt_archive_keeptrusts_api_token_secret, value of kt_archive_kt_archive_notify_secret";
    assert_eq!(printed.trim(), expected);
}

#[test]
fn settings_round_trip() {
    for nasty in NASTY.into_iter().chain(["two\nlines"]) {
        let (mut host, script) = host_with_printer();
        host.set("KT_ARCHIVE_TIME_COLUMN", nasty);
        let column = format!("--id-column={nasty}");
        let program = script.display().to_string();
        let dag = job(&host, "airflow", &["--source", "demo:", &column, "--program", &program]);
        let printed = settings(python(AIRFLOW, &dag).trim());
        assert_eq!((&printed["id-column"], &printed["time-column"]), (&nasty.into(), &nasty.into()), "{dag}");
    }
}
