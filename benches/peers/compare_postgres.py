#!/usr/bin/env python3
"""Compares kt-archive with DuckDB, and with the server itself, on a table of PostgreSQL; prints a table in Markdown.

compare_postgres.py URL TABLE --from MONTH --to MONTH [--kt-archive PROGRAM] [--rounds N] [--scratch FOLDER]

TABLE has a column created_at; load_events.py makes one. All take turns, round after round, each in a folder of its own,
and must write every event. `drain` throws a binary COPY over two connections away: nothing that has to send the rows can
be faster. Needs duckdb, duckdb-extension-postgres-scanner and pyarrow, and psql on the path.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from compare import take_turns

DUCKDB = """
import sys, pathlib, duckdb, duckdb_extension_postgres_scanner as scanner
url, table, folder = sys.argv[1:]
extension = next(pathlib.Path(scanner.__file__).parent.rglob("*.duckdb_extension"))
connection = duckdb.connect()
connection.execute("set threads = 2; set TimeZone = 'UTC'; set preserve_insertion_order = false")
connection.execute(f"load '{extension}'; attach '{url}' as source (type postgres, read_only)")
connection.execute(
    f"copy (select *, strftime(created_at, '%Y-%m') as month from source.{table}) to '{folder}'"
    " (format parquet, compression zstd, compression_level 3, partition_by (month))"
)
"""

# Halves of the table by its pages.
DRAIN = """
import subprocess, sys
url, table = sys.argv[1:]
ask = ["psql", url, "-AtXqc", f"select pg_relation_size('{table}') / current_setting('block_size')::int / 2"]
middle = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
halves = [f"ctid < '({middle},0)'", f"ctid >= '({middle},0)'"]
copies = [f"copy (select * from {table} where {half}) to stdout (format binary)" for half in halves]
running = [subprocess.Popen(["psql", url, "-AtXqc", copy], stdout=subprocess.DEVNULL) for copy in copies]
sys.exit(any(program.wait() for program in running))
"""


def command(name, options, folder):
    if name == "drain":
        return [sys.executable, "-c", DRAIN, options.url, options.table]
    if name == "duckdb":
        return [sys.executable, "-c", DUCKDB, options.url, options.table, folder / "archive"]
    months = ["--from", options.first, "--to", options.last]
    places = ["--archive", folder / "archive", "--state-dir", folder / "state"]
    return [options.kt_archive, "backfill", "--source", options.url, "--table", options.table, *months, *places, "--quiet"]


def main():
    parser = argparse.ArgumentParser(description="kt-archive beside its peers, from PostgreSQL")
    parser.add_argument("url")
    parser.add_argument("table")
    parser.add_argument("--from", dest="first", required=True, metavar="MONTH")
    parser.add_argument("--to", dest="last", required=True, metavar="MONTH")
    parser.add_argument("--kt-archive", type=Path, help="the program; without it the peers run alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scratch", type=Path, help="where the runs write; by default where temporary files go")
    options = parser.parse_args()
    count = ["psql", options.url, "-AtXqc", f"select count(*) from {options.table}"]
    count = int(subprocess.run(count, capture_output=True, text=True, check=True).stdout)
    started = lambda name, folder: command(name, options, folder)
    table(take_turns(options, ["duckdb", "drain"], started, lambda name: 0 if name == "drain" else count))


def table(results):
    medians = {name: [statistics.median(column) for column in zip(*runs)] for name, runs in results.items()}
    duckdb, drain = medians["duckdb"], medians["drain"]
    print("| | seconds (least to most) | of DuckDB's | of the drain's | CPU s | peak MiB | MB written | of DuckDB's |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (seconds, cpu, memory, written) in medians.items():
        times = sorted(one[0] for one in results[name])
        spread = f"{seconds:.2f} ({times[0]:.2f} to {times[-1]:.2f})"
        ratios = f"{seconds / duckdb[0]:.2f} | {seconds / drain[0]:.2f}"
        print(f"| {name} | {spread} | {ratios} | {cpu:.1f} | {memory:,.0f} | {written:.1f} | {written / duckdb[3]:.3f} |")


if __name__ == "__main__":
    main()
