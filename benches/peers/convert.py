"""A file or a table into Parquet: by month for a year, one file for a month."""

import sys
from functools import partial
from pathlib import Path

import sources
from peers import NAMES
from server import Server
from turns import COLUMNS, Comparison, Goal, Program

PEERS = Path(__file__).parent / "peers.py"
SPEED = {"csv": 0.65, "jsonl": 0.75, "postgres": 0.85}


def peer(name, source, folder):
    output = folder / "archive" / ("month.parquet" if source.span == "month" else "")
    return [sys.executable, PEERS, name, output, *source.peers]


def compare(kind, span, options):
    postgres = kind == "postgres"
    source = sources.table(options.url, span) if postgres else sources.file(options.data, kind, span)
    names = list(NAMES[kind])
    programs = {name: Program(partial(source.archive, program), source.events) for name, program in options.ours.items()}
    programs |= {name: Program(partial(peer, name, source), source.events) for name in names}
    goals = [Goal("seconds", SPEED[kind], names), Goal("peak MiB", 256), Goal("MB written", 1.03, ["duckdb"])]
    if not postgres:
        return Comparison(source.title, programs, names, goals)
    # Throws away what it reads: nothing that has to send the rows can be faster.
    programs["drain"] = Program(lambda folder: [sys.executable, PEERS, "drain", folder, *source.peers], 0)
    goals += [Goal("seconds", 1.4, ["drain"]), Goal("CPU s", 0.7, ["duckdb"]), Goal("server's CPU s", 1.0, ["duckdb"])]
    columns = (*COLUMNS[:2], "server's CPU s", *COLUMNS[2:])
    return Comparison(source.title, programs, names, goals, columns, Server(options.url).watch)
