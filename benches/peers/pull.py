"""A slice of an archive: two days of one verdict out of a month, as CSV, beside DuckDB from the same Parquet files.

DuckDB checks no digest. Its seconds include the start of Python, those of its query do not.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

from turns import OURS, Comparison, Goal, Program, csv_rows, prepare

MONTH, DAYS, VERDICT = "2025-03", ("2025-03-10", "2025-03-12"), ("decision", "blocked")
EVENTS = 3_000_000

DUCKDB = """
import sys, time, duckdb
events, output = sys.argv[1:]
start, cpu = time.monotonic(), time.process_time()
duckdb.execute(f"set TimeZone = 'UTC'; copy (select * {events}) to '{output}' (header)")
print("query", time.monotonic() - start, time.process_time() - cpu)
"""


def slice_of(files):
    """The events of the slice, for DuckDB."""
    times = " and ".join(f"timestamp {sign} '{day}T00:00:00Z'" for sign, day in zip((">=", "<"), DAYS))
    return f"from read_parquet('{files}', hive_partitioning = false) where {times} and {VERDICT[0]} = '{VERDICT[1]}'"


def archive(options):
    """An archive of generated events, and the pattern of its Parquet files."""
    folder = Path(options.servers.enter_context(tempfile.TemporaryDirectory(prefix="peers-", dir=options.scratch)))
    source = ["--source", f"demo:?events={(options.events or [EVENTS])[0]}", "--month", MONTH, "--format", "parquet"]
    places = ["--archive", folder / "archive", "--state-dir", folder / "state"]
    prepare([options.kt_archive, "run", *source, *places, "--quiet"])
    return folder / "archive", folder / f"archive/events/parquet/month={MONTH}/*.parquet"


def pull(program, archive, account, folder):
    days = ["--from", DAYS[0], "--to", DAYS[1], "--match", "=".join(VERDICT)]
    places = ["--archive", archive, "--state-dir", folder / "state", "--output", folder / "slice.csv"]
    return [*account, program, "pull", *days, *places, "--quiet"]


def pulled(folder):
    return csv_rows(folder / "slice.csv")


def programs(options, archive, files, *account):
    import duckdb

    expected = duckdb.execute(f"set TimeZone = 'UTC'; select count(*) {slice_of(files)}").fetchone()[0]
    return {name: Program(partial(pull, program, archive, account), expected, pulled) for name, program in options.ours.items()}


def compare(options):
    place, files = archive(options)
    ours = programs(options, place, files)
    expected = ours[OURS].expected
    ours["duckdb"] = Program(lambda folder: [sys.executable, "-c", DUCKDB, slice_of(files), folder / "slice.csv"], expected, pulled)
    goals = [Goal("seconds", 1.0, ["duckdb"]), Goal("peak MiB", 256)]
    columns = ("seconds", "query s", "CPU s", "query CPU s", "peak MiB")
    return Comparison(f"{expected:,} events of a slice", ours, ["duckdb"], goals, columns)
