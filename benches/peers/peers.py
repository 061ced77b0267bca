#!/usr/bin/env python3
"""Alternatives to kt-archive on the same artifact: peers.py NAME ARTIFACT FOLDER.

Each writes Parquet with zstd at level 3, one folder or file a month, with the types that it can keep: see the notes at
NAMES. None of them hashes or reads back what it wrote, or leaves out what is no event.
"""

import sys
from pathlib import Path

TEXTS = "event_type decision reason_code gateway_id user_id team_id provider model request_id trace_id".split()
NUMBERS = "config_version latency_ms input_tokens output_tokens".split()
DOCUMENTS = "policies_evaluated metadata redactions".split()


def order(ids, time, texts, numbers, cost, documents):
    """The columns of the artifact, in its order, each with its type."""
    named = {"id": ids, "org_id": ids, "created_at": time}
    named |= dict.fromkeys(TEXTS, texts) | dict.fromkeys(NUMBERS, numbers)
    return named | {"cost_usd": cost} | dict.fromkeys(DOCUMENTS, documents)


def duckdb(artifact, folder, reader):
    import duckdb

    documents = "VARCHAR" if reader == "read_csv" else "JSON"
    columns = order("UUID", "TIMESTAMPTZ", "VARCHAR", "INTEGER", "DECIMAL(18,8)", documents)
    options = "header = true" if reader == "read_csv" else "format = 'newline_delimited'"
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'; set preserve_insertion_order = false")
    connection.execute(
        f"copy (select *, strftime(created_at, '%Y-%m') as month from {reader}('{artifact}', {options}, columns = {columns}))"
        f" to '{folder}' (format parquet, compression zstd, compression_level 3, partition_by (month))"
    )


def polars(artifact, folder, reader):
    import polars as pl

    # Its JSON reader has no decimals.
    cost = pl.Decimal(18, 8) if reader == "scan_csv" else pl.Float64
    schema = order(pl.String, pl.String, pl.String, pl.Int32, cost, pl.String)
    created_at = pl.col("created_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us").dt.replace_time_zone("UTC")
    events = getattr(pl, reader)(artifact, schema=schema).with_columns(created_at)
    events = events.with_columns(month=pl.col("created_at").dt.strftime("%Y-%m"))
    events.sink_parquet(pl.PartitionBy(folder, key="month"), compression="zstd", compression_level=3, mkdir=True)


def chdb(artifact, folder, format):
    import chdb

    columns = order("UUID", "DateTime64(6, \\'UTC\\')", "Nullable(String)", "Nullable(Int32)", "Nullable(Decimal(18, 8))", "Nullable(String)")
    columns = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    folder.mkdir(parents=True)
    chdb.query(
        f"insert into function file('{folder}/month={{_partition_id}}.parquet', Parquet)"
        f" partition by formatDateTime(created_at, '%Y-%m') select * from file('{artifact}', {format}, '{columns}')"
        " settings date_time_input_format = 'best_effort', output_format_parquet_compression_method = 'zstd',"
        " output_format_compression_level = 3, max_partitions_per_insert_block = 100,"
        " input_format_json_read_arrays_as_strings = 1, input_format_json_read_objects_as_strings = 1"
    )


# Notes: DuckDB prints JSON anew, and loses the digits of large numbers in it. Polars keeps UUIDs as text; from NDJSON it
# makes floats of costs and prints JSON anew. chDB keeps both as they are.
NAMES = {
    "csv": {"duckdb": (duckdb, "read_csv"), "polars": (polars, "scan_csv"), "chdb": (chdb, "CSVWithNames")},
    "jsonl": {"duckdb": (duckdb, "read_json"), "polars": (polars, "scan_ndjson"), "chdb": (chdb, "JSONEachRow")},
}

if __name__ == "__main__":
    name, artifact, folder = sys.argv[1:]
    convert, how = NAMES[Path(artifact).suffix[1:]][name]
    convert(artifact, Path(folder), how)
