"""Counts the NaN that readers find in a Parquet file although their statistics may leave it out.

Usage: nan.py FILE

Prints {"duckdb": n, "pyarrow": n, "bounds": [column, ...]}: the rows whose value of the column `real` is not at most 1,
which only NaN is, and the floating-point columns with bounds.
"""

import json
import sys

import duckdb
import pyarrow.dataset
import pyarrow.parquet

path = sys.argv[1]
# DuckDB sorts NaN after all numbers.
found = duckdb.sql(f"SELECT count(*) FROM read_parquet('{path}') WHERE real > 1").fetchone()[0]
not_below = ~(pyarrow.dataset.field("real") <= 1)
metadata = pyarrow.parquet.ParquetFile(path).metadata
groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
chunks = [group.column(column) for group in groups for column in range(group.num_columns)]
floats = [chunk for chunk in chunks if chunk.physical_type in ("FLOAT", "DOUBLE")]
assert len(floats) == 4, [chunk.path_in_schema for chunk in floats]
bounds = [chunk.path_in_schema for chunk in floats if chunk.is_stats_set and chunk.statistics.has_min_max]
print(
    json.dumps(
        {
            "duckdb": found,
            "pyarrow": pyarrow.dataset.dataset(path).count_rows(filter=not_below),
            "bounds": bounds,
        }
    )
)
