"""Programs that take turns at one job, and what each run took."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

OURS = "kt-archive"
COLUMNS = ("seconds", "CPU s", "peak MiB", "MB written")


def parquet_rows(folder):
    """Rows of all Parquet files that a run wrote."""
    import duckdb

    files = [str(file) for file in (folder / "archive").rglob("*.parquet")]
    return duckdb.execute("select sum(num_rows)::bigint from parquet_file_metadata(?)", [files]).fetchone()[0] if files else 0


@dataclass
class Program:
    """Its command for a folder that a run has for itself, and the rows that it must have written there."""

    command: Callable[[Path], list]
    expected: int
    rows: Callable[[Path], int] = parquet_rows


@dataclass
class Goal:
    """At most `bound` in a column; with names in `of`, at most that part of the least that these programs have."""

    column: str
    bound: float
    of: list[str] = field(default_factory=list)
    program: str = OURS


@contextmanager
def unwatched():
    yield {}


@dataclass
class Comparison:
    """Programs by name, and those `against` whose fastest the times of all are shown.

    `watch` surrounds a run, and adds columns to what it took.
    """

    title: str
    programs: dict[str, Program]
    against: list[str]
    goals: list[Goal]
    columns: tuple[str, ...] = COLUMNS
    watch: Callable = unwatched


def prepare(command):
    """Runs what a comparison needs before it begins."""
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def csv_rows(files):
    """Rows of the CSV files that a pattern names, also gzipped. Events may have line ends of their own."""
    import duckdb

    return duckdb.execute("select count(*) from read_csv(?, header = true, all_varchar = true)", [str(files)]).fetchone()[0]


def take_turns(comparison, rounds, scratch):
    """All programs run round after round, so that other load on the machine affects all of them."""
    results = {name: [] for name in comparison.programs}
    for number in range(rounds):
        for name, program in comparison.programs.items():
            with tempfile.TemporaryDirectory(prefix="peers-", dir=scratch) as folder:
                measured = run(name, program, comparison.watch, Path(folder))
            print(f"{number + 1} {name}: {measured['seconds']:.2f} s", file=sys.stderr)
            results[name].append(measured)
    return results


def run(name, program, watch, folder):
    output = folder / "output"
    arguments = [sys.executable, "-IS", Path(__file__).parent / "launch.py", output, *program.command(folder)]
    # What the last program left to be written would slow down this one.
    os.sync()
    with watch() as watched:
        code, measured = json.loads(subprocess.run(arguments, stdout=subprocess.PIPE, check=True).stdout)
    printed = output.read_text(errors="replace")
    if code != 0:
        sys.exit(f"{name} ended with {code}:\n{printed[-2000:]}")
    rows = program.rows(folder)
    if rows != program.expected:
        sys.exit(f"{name} has {rows} of {program.expected} events")
    size = sum(file.stat().st_size for file in (folder / "archive").rglob("*") if file.is_file())
    measured |= {"MB written": size / 1e6, "µs a row": measured["seconds"] / max(1, program.expected) * 1e6}
    if printed.startswith("query "):
        measured |= dict(zip(("query s", "query CPU s"), map(float, printed.split()[1:])))
    return measured | watched
