"""Prints the numbers of events, by month and format, that DuckDB and the csv module find in an archive in a directory.

Usage: count.py ARCHIVE

{month: {format: [events, distinct ids, bytes of ids and long texts]}}
"""

import csv
import gzip
import json
import sys
from pathlib import Path

import duckdb

# The columns of long texts, and ids.
TEXTS = ("id", "note", "user_id")


def count_parquet(paths):
    paths = [str(path) for path in paths]
    columns = duckdb.execute("select column_name from (describe select * from read_parquet(?))", [paths])
    names = [name for (name,) in columns.fetchall()]
    texts = " + ".join(f'coalesce(strlen("{name}"::varchar), 0)' for name in names if name in TEXTS)
    query = f"select count(*), count(distinct id), sum({texts}) from read_parquet(?, hive_partitioning = false)"
    return [int(number) for number in duckdb.execute(query, [paths]).fetchone()]


def count_csv(paths):
    csv.field_size_limit(1 << 30)
    rows, ids, texts = 0, set(), 0
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader)
            id = header.index("id")
            measured = [index for index, name in enumerate(header) if name in TEXTS]
            for row in reader:
                rows += 1
                ids.add(hash(row[id]))
                texts += sum(len(row[index].encode()) for index in measured)
    return [rows, len(ids), texts]


def main():
    root = Path(sys.argv[1])
    duckdb.execute("set memory_limit = '4GB'")
    months = {}
    for path in sorted(root.glob("manifests/????????.json")):
        manifest = json.loads(path.read_bytes())
        counts = months.setdefault(manifest["month"], {})
        for format, count in (("parquet", count_parquet), ("csv", count_csv)):
            paths = [root / file["path"] for file in manifest["files"] if file["format"] == format]
            counts[format] = count(paths) if paths else [0, 0, 0]
    json.dump(months, sys.stdout)


if __name__ == "__main__":
    main()
