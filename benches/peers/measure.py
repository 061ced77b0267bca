#!/usr/bin/env python3
"""Measures one row of docs/benchmarks.md, and prints its table in Markdown: measure.py ROW --kt-archive PROGRAM ...

All programs take turns, round after round. Every run starts from nothing in a folder of its own, and must have every
event. docs/benchmarks.md has the command of each row, and what they need.
"""

import argparse
import functools
from contextlib import ExitStack
from pathlib import Path

import bucket
import convert
import exports
import formats
import growth
import harm
import pull
from table import print_table
from turns import OURS, take_turns

# Each with the options that it cannot do without.
ROWS = {
    f"{kind}-{span}": (functools.partial(convert.compare, kind, span), ["url" if kind == "postgres" else "data"])
    for kind in ("csv", "jsonl", "postgres")
    for span in ("year", "month")
} | {
    "both-formats": (formats.compare_formats, []),
    "verify": (formats.compare_verify, ["before"]),
    "pull": (pull.compare, []),
    "pull-bucket": (bucket.compare, []),
    "exports-api": (exports.compare, ["data"]),
    "growth": (growth.compare, []),
    "harm": (harm.compare, ["url"]),
}  # fmt: skip


def path(name):
    return Path(name).resolve()


def main():
    parser = argparse.ArgumentParser(description="kt-archive beside its peers")
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--kt-archive", type=path, required=True, help="the program")
    parser.add_argument("--before", type=path, help="an earlier program, which takes its turns too")
    parser.add_argument("--data", type=path, help="the folder of make_events.py")
    parser.add_argument("--url", help="the database of load_events.py, on this machine")
    parser.add_argument("--events", type=int, nargs="+", help="sizes of what is generated, for pull, pull-bucket and growth")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scratch", type=path, help="where the runs write; by default where temporary files go")
    options = parser.parse_args()
    row, needed = ROWS[options.row]
    for name in needed:
        if getattr(options, name) is None:
            parser.error(f"{options.row} needs --{name}")
    options.ours = {OURS: options.kt_archive} | ({"before": options.before} if options.before else {})
    with ExitStack() as options.servers:
        comparison = row(options)
        print_table(comparison, take_turns(comparison, options.rounds, options.scratch))


if __name__ == "__main__":
    main()
