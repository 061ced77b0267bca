#!/usr/bin/env python3
"""Alternatives to kt-archive on the same events: peers.py NAME OUTPUT ARTIFACT, or peers.py NAME OUTPUT URL TABLE.

Each writes Parquet with zstd at level 3, with the types that it can keep: see the notes at NAMES. An OUTPUT that ends in
.parquet is one file, any other a folder with files by month. None of them hashes or reads back what it wrote, or leaves
out what is no event.
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


def duckdb(reader, output, artifact):
    import duckdb

    documents = "VARCHAR" if reader == "read_csv" else "JSON"
    columns = order("UUID", "TIMESTAMPTZ", "VARCHAR", "INTEGER", "DECIMAL(18,8)", documents)
    options = "header = true" if reader == "read_csv" else "format = 'newline_delimited'"
    copy(duckdb.connect(), f"{reader}('{artifact}', {options}, columns = {columns})", output)


def duckdb_postgres(extension, output, url, table):
    import duckdb
    import duckdb_extension_postgres_scanner as scanner

    extension = next(Path(scanner.__file__).parent.rglob(extension))
    connection = duckdb.connect()
    connection.execute(f"load '{extension}'; attach '{url}' as source (type postgres, read_only)")
    copy(connection, f"source.{table}", output)


def copy(connection, events, output):
    connection.execute("set TimeZone = 'UTC'; set preserve_insertion_order = false")
    options = "format parquet, compression zstd, compression_level 3"
    if output.suffix == ".parquet":
        query = f"select * from {events}"
    else:
        query, options = f"select *, strftime(created_at, '%Y-%m') as month from {events}", f"{options}, partition_by (month)"
    connection.execute(f"copy ({query}) to '{output}' ({options})")


def polars(reader, output, artifact):
    import polars as pl

    # Its JSON reader has no decimals.
    cost = pl.Decimal(18, 8) if reader == "scan_csv" else pl.Float64
    schema = order(pl.String, pl.String, pl.String, pl.Int32, cost, pl.String)
    created_at = pl.col("created_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us").dt.replace_time_zone("UTC")
    events = getattr(pl, reader)(artifact, schema=schema).with_columns(created_at)
    if output.suffix != ".parquet":
        events = events.with_columns(month=pl.col("created_at").dt.strftime("%Y-%m"))
        output = pl.PartitionBy(output, key="month")
    events.sink_parquet(output, compression="zstd", compression_level=3, mkdir=True)


def chdb(format, output, artifact):
    import chdb

    texts, numbers, cost = (f"Nullable({kind})" for kind in ("String", "Int32", "Decimal(18, 8)"))
    columns = order("UUID", "DateTime64(6, \\'UTC\\')", texts, numbers, cost, texts)
    columns = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    target = f"file('{output}', Parquet)"
    if output.suffix != ".parquet":
        output.mkdir(parents=True)
        target = f"file('{output}/month={{_partition_id}}.parquet', Parquet) partition by formatDateTime(created_at, '%Y-%m')"
    chdb.query(
        f"insert into function {target} select * from file('{artifact}', {format}, '{columns}')"
        " settings date_time_input_format = 'best_effort', output_format_parquet_compression_method = 'zstd',"
        " output_format_compression_level = 3, max_partitions_per_insert_block = 100,"
        " input_format_json_read_arrays_as_strings = 1, input_format_json_read_objects_as_strings = 1"
    )


def drain(connections, _, url, table):
    """Throws a binary COPY over several connections away, each with its part of the pages."""
    import subprocess

    ask = ["psql", url, "-AtXqc", f"select pg_relation_size('{table}') / current_setting('block_size')::int"]
    pages = int(subprocess.run(ask, capture_output=True, text=True, check=True).stdout)
    bounds = [f"'({pages * number // connections},0)'" for number in range(connections)] + [f"'({2**32 - 2},0)'"]
    parts = [f"ctid >= {first} and ctid < {last}" for first, last in zip(bounds, bounds[1:])]
    copies = [f"copy (select * from {table} where {part}) to stdout (format binary)" for part in parts]
    running = [subprocess.Popen(["psql", url, "-AtXqc", copy], stdout=subprocess.DEVNULL) for copy in copies]
    sys.exit(any(program.wait() for program in running))


# Notes: DuckDB prints JSON anew, and loses the digits of large numbers in it. Polars keeps UUIDs as text; from NDJSON it
# makes floats of costs and prints JSON anew. chDB keeps both as they are.
NAMES = {
    "csv": {"duckdb": (duckdb, "read_csv"), "polars": (polars, "scan_csv"), "chdb": (chdb, "CSVWithNames")},
    "jsonl": {"duckdb": (duckdb, "read_json"), "polars": (polars, "scan_ndjson"), "chdb": (chdb, "JSONEachRow")},
    "postgres": {"duckdb": (duckdb_postgres, "*.duckdb_extension")},
}
# No alternative, but a bound.
DRAIN = {"drain": (drain, 2)}

if __name__ == "__main__":
    name, output, source, *table = sys.argv[1:]
    kind = "postgres" if table else Path(source).suffix[1:]
    convert, how = (NAMES[kind] | DRAIN)[name]
    # Not all of them make the folder of a single file.
    Path(output).parent.mkdir(exist_ok=True)
    convert(how, Path(output), source, *table)
