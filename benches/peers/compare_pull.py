#!/usr/bin/env python3
"""Compares a slice of an archive by kt-archive with one by DuckDB from the same Parquet files; prints a table in Markdown.

compare_pull.py ARCHIVE --from DAY --to DAY --match COLUMN=VALUE --kt-archive PROGRAM [--before PROGRAM] [--time COLUMN] [--rounds N]

Both write the same rows as CSV, in turn, round after round, and the number of their lines is compared. DuckDB checks no
digest; its times include the start of Python, those in parentheses do not. Needs duckdb.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DUCKDB = """
import sys, time, duckdb
files, column, first, last, name, value, output = sys.argv[1:]
start, cpu = time.monotonic(), time.process_time()
connection = duckdb.connect()
connection.execute("set TimeZone = 'UTC'; set threads = 2")
connection.execute(
    f"copy (select * from read_parquet('{files}', hive_partitioning = false)"
    f" where {column} >= '{first}T00:00:00Z' and {column} < '{last}T00:00:00Z' and {name} = '{value}') to '{output}' (header)"
)
print("query", time.monotonic() - start, time.process_time() - cpu)
"""


def command(name, options, folder):
    output = folder / "slice.csv"
    if name == "duckdb":
        files = options.archive / "events/parquet/month=*/*.parquet"
        days = [options.first, options.last]
        return [sys.executable, "-c", DUCKDB, files, options.time, *days, *options.match.split("=", 1), output]
    program = options.before if name == "before" else options.kt_archive
    places = ["--archive", options.archive, "--state-dir", folder / "state", "--output", output]
    return [program, "pull", "--from", options.first, "--to", options.last, "--match", options.match, *places, "--quiet"]


def run(arguments, folder):
    """Seconds and CPU seconds, those of the query alone, peak memory in MiB, and lines of the slice."""
    start = time.monotonic()
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    printed = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{arguments[0]} ended with {child.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    query = map(float, printed.split()[1:]) if printed.startswith("query") else (seconds, cpu)
    lines = (folder / "slice.csv").read_bytes().count(b"\n")
    return seconds, cpu, *query, usage.ru_maxrss / 1024, lines


def main():
    parser = argparse.ArgumentParser(description="a slice by kt-archive beside one by DuckDB")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--from", dest="first", required=True, metavar="DAY")
    parser.add_argument("--to", dest="last", required=True, metavar="DAY")
    parser.add_argument("--match", required=True, metavar="COLUMN=VALUE")
    parser.add_argument("--time", default="timestamp", help="the column with the times")
    parser.add_argument("--kt-archive", type=Path, required=True)
    parser.add_argument("--before", type=lambda name: Path(name).resolve(), help="an earlier program")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.archive, options.kt_archive = options.archive.resolve(), options.kt_archive.resolve()
    results = {"kt-archive": [], "duckdb": []} | ({"before": []} if options.before else {})
    for number in range(options.rounds):
        for name, runs in results.items():
            with tempfile.TemporaryDirectory(prefix="compare-") as folder:
                *measured, lines = run(command(name, options, Path(folder)), Path(folder))
            expected = runs[0][-1] if runs else results["kt-archive"][0][-1] if results["kt-archive"] else lines
            if lines != expected:
                sys.exit(f"{name} wrote {lines} of {expected} lines")
            print(f"{number + 1} {name}: {measured[0]:.2f} s", file=sys.stderr)
            runs.append([*measured, lines])
    print(f"{lines:,} lines\n\n| | seconds (least to most) | of DuckDB's | CPU s | peak MiB |\n|---|---|---|---|---|")
    medians = {name: [statistics.median(column) for column in zip(*runs)] for name, runs in results.items()}
    for name, (seconds, cpu, query, query_cpu, memory, _) in medians.items():
        times = sorted(one[0] for one in results[name])
        ratios = f"{seconds / medians['duckdb'][0]:.2f} ({seconds / medians['duckdb'][2]:.2f})"
        times = f"{seconds:.2f} ({times[0]:.2f} to {times[-1]:.2f})"
        if name == "duckdb":
            times, cpu, ratios = f"{times}, ({query:.2f})", f"{cpu:.2f} ({query_cpu:.2f})", "1.00"
        else:
            cpu = f"{cpu:.2f}"
        print(f"| {name} | {times} | {ratios} | {cpu} | {memory:,.0f} |")


if __name__ == "__main__":
    main()
