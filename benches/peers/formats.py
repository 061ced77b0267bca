"""A month with two formats: archived beside Parquet alone, and verified beside an earlier program."""

import json
import sys
import tempfile
from pathlib import Path

import sources
from turns import COLUMNS, OURS, Comparison, Goal, Program, csv_rows, parquet_rows, prepare

BOTH = "parquet,csv"


def month(options):
    """The table of a month if there is a database, else the CSV file of one."""
    if not (options.url or options.data):
        sys.exit(f"{options.row} needs --url or --data")
    return sources.table(options.url, "month") if options.url else sources.file(options.data, "csv", "month")


def compare_formats(options):
    source = month(options)

    def program(formats, rows):
        return Program(lambda folder: source.archive(options.kt_archive, folder, "--format", formats), source.events, rows)

    both = program(BOTH, lambda folder: min(parquet_rows(folder), csv_rows(folder / "archive/events/csv/*/*")))
    programs = {BOTH: both, "parquet": program("parquet", parquet_rows)}
    goals = [Goal("seconds", 1.6, ["parquet"], BOTH), Goal("peak MiB", 256, program=BOTH)]
    return Comparison(source.title, programs, ["parquet"], goals)


def compare_verify(options):
    """Each program verifies what it archived, and ours also what the earlier one did."""
    source = month(options)
    archives = {}
    for program in (options.kt_archive, options.before):
        folder = Path(options.servers.enter_context(tempfile.TemporaryDirectory(prefix="peers-", dir=options.scratch)))
        prepare(source.archive(program, folder, "--format", BOTH))
        archives[program] = folder / "archive"

    def verify(program, archive):
        arguments = [program, "verify", "--level", "full", "--archive", archive, "--json", "--quiet"]
        return Program(lambda folder: [*arguments, "--state-dir", folder / "state"], source.events, verified)

    programs = {
        OURS: verify(options.kt_archive, archives[options.kt_archive]),
        f"{OURS}, archive of before": verify(options.kt_archive, archives[options.before]),
        "before": verify(options.before, archives[options.before]),
    }
    goals = [Goal("seconds", 0.55, ["before"]), Goal("peak MiB", 256)]
    return Comparison(source.title, programs, ["before"], goals, COLUMNS[:3])


def verified(folder):
    return json.loads((folder / "output").read_text())["events"]
