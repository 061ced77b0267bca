#!/usr/bin/env python3
"""Loads a CSV file of make_events.py into PostgreSQL, with the types of a database: load_events.py URL FILE.

year.csv becomes the table events_year. A table that is there already is not touched. Needs psql on the path.
"""

import os
import subprocess
import sys
from pathlib import Path

TYPES = {
    "id": "uuid primary key", "org_id": "uuid not null", "created_at": "timestamptz not null", "gateway_id": "uuid",
    "team_id": "uuid", "config_version": "integer", "latency_ms": "integer", "input_tokens": "integer",
    "output_tokens": "integer", "cost_usd": "numeric(18,8)", "policies_evaluated": "jsonb", "metadata": "jsonb",
}  # fmt: skip


def main():
    url, path = sys.argv[1:]
    table = f"events_{Path(path).stem}"
    with open(path, "rb") as artifact:
        names = artifact.readline().decode().strip().split(",")
        columns = ", ".join(f"{name} {TYPES.get(name, 'text')}" for name in names)
        psql = ["psql", url, "-AtXq", "-v", "ON_ERROR_STOP=1"]
        subprocess.run([*psql, "-c", f"create table {table} ({columns})"], check=True)
        # The program reads from where the file is, not from where Python is in its buffer.
        os.lseek(artifact.fileno(), 0, os.SEEK_SET)
        subprocess.run([*psql, "-c", f"copy {table} from stdin (format csv, header)"], stdin=artifact, check=True)
    subprocess.run([*psql, "-c", f"create index on {table} (created_at)", "-c", f"vacuum (freeze, analyze) {table}"], check=True)


if __name__ == "__main__":
    main()
