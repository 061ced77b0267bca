//! A DAG of Airflow.

use super::{Job, SourceKind, TIMES, comment, hopeless, quote::quoted, telling};
use std::{collections::BTreeSet, fmt::Write as _};

pub(super) fn render(job: &Job) -> String {
    let mut text = comment(
        "kt-archive: archives the last month, and every gap before it. Save it as kt_archive.py in the folder of your \
         DAGs. The program, the files and the folders below are those of the worker that runs the task: give it a queue \
         if only one worker has them.",
    );
    if !secrets(job).is_empty() || job.source != SourceKind::Demo {
        text.push_str(&comment(
            "Secrets are Variables of Airflow, and so come from the secrets backend that you have configured; none is in \
             this file, and only the task reads them.",
        ));
    }
    text.push_str(&telling(job, "Airflow shows it in red and tells nobody: give @dag an on_failure_callback below."));
    text.push_str(HEAD);
    text.push_str("# What is run, without a shell.\nCOMMAND = [\n");
    for word in std::iter::once(job.program.clone()).chain(job.arguments()).chain(state(job)) {
        let _ = writeln!(text, "    {},", quoted(&word));
    }
    text.push_str("]\n# Variables of the environment that hold no secret.\nENVIRONMENT = {\n");
    for (name, value) in job.own.iter().chain(&job.public).map(|(name, value)| (name.as_str(), value)).chain(files(job))
    {
        let _ = writeln!(text, "    {}: {},", quoted(name), quoted(value));
    }
    text.push_str("}\n# Those that do: the name of each, and that of its Variable.\nSECRETS = {\n");
    for name in secrets(job) {
        let _ =
            writeln!(text, "    {}: {},", quoted(name), quoted(&format!("kt_archive_{}_secret", name.to_lowercase())));
    }
    text.push_str("}\n");
    text.push_str(&TAIL.replace("{HOPELESS}", &hopeless(", ")).replace("{TIMES}", TIMES));
    text
}

fn state(job: &Job) -> Option<String> {
    job.own_state.as_ref().map(|state| format!("--state-dir={state}"))
}

/// Files with secrets that the environment names.
fn files(job: &Job) -> impl Iterator<Item = (&str, &String)> {
    let token = job.token_file.as_ref().filter(|_| job.source == SourceKind::ExportsApi);
    let passwords = job.password_file.as_ref().filter(|_| job.source == SourceKind::Postgres);
    let files = [("KEEPTRUSTS_API_TOKEN_FILE", token), ("PGPASSFILE", passwords)];
    files.into_iter().filter_map(|(name, path)| Some((name, path?)))
}

fn secrets(job: &Job) -> BTreeSet<&str> {
    let of_source = match job.source {
        SourceKind::ExportsApi if job.token_file.is_none() => Some("KEEPTRUSTS_API_TOKEN"),
        SourceKind::Postgres if job.password_file.is_none() => Some("PGPASSWORD"),
        _ => None,
    };
    of_source.into_iter().chain(job.host_secrets()).collect()
}

const HEAD: &str = r"from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta, timezone

try:  # Airflow 3
    from airflow.sdk import Variable, dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.models import Variable
try:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
except ImportError:
    from airflow.exceptions import AirflowException, AirflowFailException

";

const TAIL: &str = r#"# Settings, damage, contradicting data and rights: no further try mends them.
HOPELESS = {{HOPELESS}}


@dag(
    dag_id="kt_archive",
    description="Archive the last month of Keeptrusts events",
    # UTC. The 2nd and the 3rd are tries in case something was down: a run that finds its month archived ends at once.
    schedule="{TIMES}",
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    # The program itself archives what is missing.
    catchup=False,
    max_active_runs=1,
    tags=["keeptrusts"],
)
def kt_archive():
    @task(
        retries=6,
        retry_delay=timedelta(minutes=10),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(hours=2),
    )
    def run():
        environment = {**os.environ, **ENVIRONMENT}
        for name, variable in SECRETS.items():
            environment[name] = Variable.get(variable)
        with subprocess.Popen(
            COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            try:
                for line in process.stdout:
                    print(line, end="")
                code = process.wait()
            finally:
                # A task that is stopped lets the program finish what it is committing.
                process.terminate()
        if code in HOPELESS:
            raise AirflowFailException(f"kt-archive ended with exit code {code}: see its last lines above")
        if code != 0:
            raise AirflowException(f"kt-archive ended with exit code {code}: another try may do")

    run()


kt_archive()
"#;
