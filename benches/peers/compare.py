#!/usr/bin/env python3
"""Compares kt-archive with its peers on the artifacts that make_events.py made, and prints a table in Markdown.

compare.py FOLDER [--kt-archive PROGRAM] [--rounds N] [--only csv|jsonl] [--scratch FOLDER]

All take turns, round after round, so that what else the machine does hits all of them. Every run starts from nothing in
a folder of its own, and must write every event. Needs duckdb, polars, chdb and pyarrow.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet

from peers import NAMES

HERE = Path(__file__).parent
OURS = "kt-archive"


def command(name, artifact, folder, program):
    if name != OURS:
        return [sys.executable, HERE / "peers.py", name, artifact, folder / "archive"]
    options = ["--from", "2025-01", "--to", "2025-12", "--archive", folder / "archive", "--state-dir", folder / "state"]
    return [program, "backfill", "--source", artifact, *options, "--jobs", "2", "--quiet"]


def run(arguments, folder):
    """Seconds, CPU seconds, peak memory in MiB, size in MB and rows of one conversion."""
    log = folder / "log"
    with open(log, "wb") as output:
        start = time.monotonic()
        child = subprocess.Popen(arguments, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{arguments[0]} ended with {child.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
    files = list((folder / "archive").rglob("*.parquet"))
    rows = sum(pyarrow.parquet.read_metadata(file).num_rows for file in files)
    size = sum(file.stat().st_size for file in files) / 1e6
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, size, rows


def rows_of(artifact):
    """Every event is one line, and a CSV has one more."""
    with open(artifact, "rb") as lines:
        count = sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
    return count - (artifact.suffix == ".csv")


def take_turns(options, peers, command, expected):
    """What each run of ours and of the peers measured; `command(name, folder)` starts one, which must write the rows that
    `expected` has for the name."""
    names = ([OURS] if options.kt_archive else []) + list(peers)
    results = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names:
            folder = Path(tempfile.mkdtemp(prefix="compare-", dir=options.scratch))
            try:
                *measured, rows = run(command(name, folder), folder)
            finally:
                shutil.rmtree(folder)
            if rows != expected(name):
                sys.exit(f"{name} wrote {rows} of {expected(name)} rows")
            print(f"{number + 1} {name}: {measured[0]:.2f} s", file=sys.stderr)
            results[name].append(measured)
    return results


def compare(artifact, options):
    expected = rows_of(artifact)
    print(artifact.name, file=sys.stderr)
    started = lambda name, folder: command(name, artifact, folder, options.kt_archive)
    results = take_turns(options, NAMES[artifact.suffix[1:]], started, lambda _: expected)
    table(artifact, expected, results)


def table(artifact, rows, results):
    medians = {name: [statistics.median(column) for column in zip(*runs)] for name, runs in results.items()}
    fastest = min((measured[0] for name, measured in medians.items() if name != OURS), default=None)
    size = medians["duckdb"][3]
    print(f"\n`{artifact.name}`: {rows:,} events, {artifact.stat().st_size / 1e6:,.0f} MB\n")
    print("| | seconds (least to most) | of the fastest peer | CPU s | peak MiB | MB written | of DuckDB's |")
    print("|---|---|---|---|---|---|---|")
    for name, (seconds, cpu, memory, written) in medians.items():
        times = sorted(one[0] for one in results[name])
        spread = f"{seconds:.2f} ({times[0]:.2f} to {times[-1]:.2f})"
        print(f"| {name} | {spread} | {seconds / fastest:.2f} | {cpu:.1f} | {memory:,.0f} | {written:.1f} | {written / size:.3f} |")


def main():
    parser = argparse.ArgumentParser(description="kt-archive beside its peers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kt-archive", type=Path, help="the program; without it the peers run alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=sorted(NAMES))
    parser.add_argument("--scratch", type=Path, help="where the runs write; by default where temporary files go")
    options = parser.parse_args()
    for kind in NAMES:
        if options.only in (None, kind):
            compare((options.folder / f"events.{kind}").resolve(), options)


if __name__ == "__main__":
    main()
