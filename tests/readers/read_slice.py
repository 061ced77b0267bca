"""Reads a slice with DuckDB or PyArrow, and prints it as JSON in the form of read_back.py.

Usage: read_slice.py duckdb-csv|duckdb-jsonl|duckdb-parquet|pyarrow-parquet FILE
"""

import json
import sys

from read_back import as_text, with_duckdb


def with_pyarrow(path):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    columns = {field.name: str(field.type) for field in table.schema}
    rows = [{name: None if value is None else as_text(value) for name, value in row.items()} for row in table.to_pylist()]
    return columns, sorted(rows, key=lambda row: row["id"])


def main():
    how, path = sys.argv[1:]
    if how == "duckdb-csv":
        result = with_duckdb(f"read_csv('{path}', all_varchar = true, header = true, quote = '\"', escape = '\"')")
    elif how == "duckdb-jsonl":
        result = with_duckdb(f"read_json('{path}', format = 'newline_delimited')")
    elif how == "duckdb-parquet":
        result = with_duckdb(f"read_parquet('{path}')")
    elif how == "pyarrow-parquet":
        result = with_pyarrow(path)
    else:
        sys.exit(f"unknown reader {how}")
    columns, rows = result
    json.dump({"columns": columns, "rows": rows}, sys.stdout)


if __name__ == "__main__":
    main()
