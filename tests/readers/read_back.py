"""Reads the events of an archive with DuckDB or PyArrow, and prints them as JSON.

Usage: read_back.py duckdb-parquet|duckdb-csv|pyarrow-parquet ARCHIVE [DATASET]

Prints {"columns": {name: type}, "rows": [{name: text or null}]}, rows ordered by id. Values are printed as text so that
no digit is lost on the way.
"""

import decimal
import json
import sys
from pathlib import Path


def with_duckdb(relation):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    columns = {name: kind for name, kind, *_ in described}
    texts = ", ".join(f'CAST("{name}" AS VARCHAR) AS "{name}"' for name in columns)
    cursor = connection.execute(f"SELECT {texts} FROM {relation} ORDER BY id")
    rows = [dict(zip(columns, row)) for row in cursor.fetchall()]
    return columns, rows


def with_pyarrow(folder):
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(folder, format="parquet", partitioning="hive").to_table()
    columns = {field.name: str(field.type) for field in table.schema}
    rows = [{name: None if value is None else as_text(value) for name, value in row.items()} for row in table.to_pylist()]
    return columns, sorted(rows, key=lambda row: row["id"])


def as_text(value):
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def main():
    how, archive, *rest = sys.argv[1:]
    dataset = Path(archive) / (rest[0] if rest else "events")
    if how == "duckdb-parquet":
        result = with_duckdb(f"read_parquet('{dataset}/parquet/*/*.parquet', hive_partitioning = true)")
    elif how == "duckdb-csv":
        result = with_duckdb(
            f"read_csv('{dataset}/csv/*/*.csv.gz', hive_partitioning = true, all_varchar = true, header = true,"
            " quote = '\"', escape = '\"', delim = ',')"
        )
    elif how == "pyarrow-parquet":
        result = with_pyarrow(str(dataset / "parquet"))
    else:
        sys.exit(f"unknown reader {how}")
    columns, rows = result
    json.dump({"columns": columns, "rows": rows}, sys.stdout)


if __name__ == "__main__":
    main()
