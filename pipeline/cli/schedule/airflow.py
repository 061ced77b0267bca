# kt-archive: archives the last month and every gap before it. Save it as kt_archive.py in the folder
# of your DAGs. The program, files and folders below are those of the worker that runs the task: set a
# queue if only one worker has them.
@COMMENTS@
from __future__ import annotations

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

# The command, run without a shell.
COMMAND = [
    @COMMAND@
]
# Environment variables without secrets.
ENVIRONMENT = {
    @ENVIRONMENT@
}
# Environment variables with secrets, and the Airflow Variable of each.
SECRETS = {
    @SECRETS@
}
# No retry after errors of settings, damage, contradicting data or missing rights.
FINAL_CODES = {@FINAL_CODES@}


@dag(
    dag_id="kt_archive",
    description="Archive the last month of Keeptrusts events",
    # UTC. The 2nd and the 3rd repeat a run that failed; a run whose month is archived ends at once.
    schedule="@TIMES@",
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    # The program archives missing months itself.
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
                # When the task is stopped, the program finishes its commit.
                process.terminate()
        if code in FINAL_CODES:
            raise AirflowFailException(f"kt-archive failed with exit code {code}, see its last lines above")
        if code != 0:
            raise AirflowException(f"kt-archive failed with exit code {code}, a retry may succeed")

    run()


kt_archive()
