"""Measures which Parquet types of an archive the readers of docs/reading.md take by themselves.

Usage: column_types.py ARCHIVE MONTH, an archive of `demo:?types=all` with Parquet and CSV files.

Prints the rows of a Markdown table: the reader, and for the types of COLUMNS the type that it shows, or "fails" where
it does not read the column. "yes" at the end means that the columns of all other types, read at once, have the values
of the CSV files.
"""

import csv
import datetime
import decimal
import glob
import gzip
import json
import struct
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

# Types that some readers do not know, each with a column of that type.
COLUMNS = {
    "uuid": "session_id",
    "json": "policies_evaluated",
    "time(us)": "time_of_day",
    "list<uuid>": "related_ids",
    "list<json>": "answers",
}


class Archive:
    def __init__(self, root, month):
        self.root = f"{root}/events/parquet"
        (self.file,) = glob.glob(f"{self.root}/month={month}/*.parquet")
        manifests = [json.loads(path.read_bytes()) for path in Path(root, "manifests").glob("*.json")]
        (manifest,) = [manifest for manifest in manifests if manifest["month"] == month]
        self.kinds = {column["name"]: column["type"] for column in manifest["schema"]["columns"]}
        (texts,) = glob.glob(f"{root}/events/csv/month={month}/*.csv.gz")
        with gzip.open(texts, "rt", newline="") as rows:
            self.rows = list(csv.DictReader(rows))

    def others(self):
        return [name for name, kind in self.kinds.items() if kind not in COLUMNS]


# Each reader returns the types and the values of columns.


def duckdb(archive, names):
    import duckdb

    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    columns = ", ".join(f'"{name}"' for name in names)
    read = connection.sql(f"select {columns} from read_parquet('{archive.file}')")
    return [str(kind) for kind in read.types], from_arrow(read.to_arrow_table())[1]


def from_arrow(table):
    return [str(field.type) for field in table.schema], [column.to_pylist() for column in table.columns]


def pyarrow(archive, names):
    import pyarrow.parquet

    return from_arrow(pyarrow.parquet.ParquetFile(archive.file).read(names))


def pandas(archive, names):
    import pandas as pd

    frame = pd.read_parquet(archive.file, columns=names, dtype_backend="pyarrow")
    values = [[None if value is pd.NA or value is pd.NaT else value for value in frame[name]] for name in names]
    return [str(frame[name].dtype) for name in names], values


def polars(archive, names):
    import polars as pl

    frame = pl.scan_parquet(archive.file).select(names).collect()
    return [str(kind) for kind in frame.dtypes], [frame[name].to_list() for name in names]


def datafusion(archive, names):
    from datafusion import SessionContext, col

    frame = SessionContext().read_parquet(archive.file)
    return from_arrow(frame.select(*[col(f'"{name}"') for name in names]).to_arrow_table())


def daft(archive, names):
    import daft

    frame = daft.read_parquet(archive.file).select(*names)
    values = frame.to_pydict()
    return [str(frame.schema()[name].dtype) for name in names], [values[name] for name in names]


def clickhouse(archive, names):
    import chdb

    columns = ", ".join(f"`{name}`" for name in names)
    query = f"select {columns} from file('{archive.file}', Parquet)"
    described = str(chdb.query(f"describe ({query})", "JSONCompactEachRow"))
    # Texts as bytes, since a column may hold any.
    table = chdb.query(f"{query} settings output_format_arrow_string_as_string = 0", "ArrowTable")
    return [json.loads(line)[1] for line in described.splitlines()], from_arrow(table)[1]


def spark(archive, names):
    import pyarrow.parquet as pq
    from pyspark.sql import SparkSession

    session = SparkSession.builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    session.conf.set("spark.sql.session.timeZone", "UTC")
    # Spark derives the schema of all columns, and refuses a file with one that it does not know. So the schema is that
    # of a file with these columns alone.
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pq.ParquetFile(archive.file).read(names), f"{folder}/columns.parquet")
        schema = session.read.parquet(f"{folder}/columns.parquet").schema
    frame = session.read.schema(schema).parquet(archive.file)
    return [kind for _, kind in frame.dtypes], list(zip(*frame.collect()))


def delta(archive, names):
    import pyarrow.parquet
    from deltalake import DeltaTable, write_deltalake

    with tempfile.TemporaryDirectory() as folder:
        write_deltalake(folder, pyarrow.parquet.ParquetFile(archive.file).read(names))
        table = DeltaTable(folder)
        kinds = [json.loads(field.type.to_json()) for field in table.schema().fields]
        kinds = [kind if isinstance(kind, str) else f"array<{kind['elementType']}>" for kind in kinds]
        return kinds, from_arrow(table.to_pyarrow_table())[1]


def iceberg(archive, names):
    import pyarrow.parquet
    from pyiceberg.catalog.sql import SqlCatalog

    with tempfile.TemporaryDirectory() as folder:
        catalog = SqlCatalog("types", uri=f"sqlite:///{folder}/catalog.db", warehouse=folder)
        catalog.create_namespace("types")
        read = pyarrow.parquet.ParquetFile(archive.file).read(names)
        table = catalog.create_table("types.events", schema=read.schema)
        table.append(read)
        return [str(field.field_type) for field in table.schema().fields], from_arrow(table.scan().to_arrow())[1]


def comparable(value, kind):
    """A value of a reader, or the text of the archive's CSV, in a form that does not depend on the reader."""
    if value is None:
        return None
    if kind.startswith("list<"):
        elements = json.loads(value, parse_float=str, parse_int=str) if isinstance(value, str) else value
        return [comparable(element, kind[5:-1]) for element in elements]
    if kind == "binary":
        return bytes.fromhex(value) if isinstance(value, str) else value
    if isinstance(value, bytes):
        value = value.decode()
    if kind in ("float32", "float64"):
        return struct.pack("f" if kind == "float32" else "d", float(value))
    if kind.startswith("decimal"):
        return decimal.Decimal(value)
    if kind.startswith("timestamp") and isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return str(value).lower() if kind == "bool" else str(value).removesuffix("Z")


def reads_others(archive, read):
    names = archive.others()
    try:
        _, columns = read(archive, names)
    except Exception as error:
        return f"no: {type(error).__name__} {str(error).splitlines()[0]}"
    wrong = []
    for name, values in zip(names, columns):
        kind = archive.kinds[name]
        wanted = [comparable(row[name] or None, kind) for row in archive.rows]
        found = [comparable(value, kind) for value in values]
        if kind.startswith("list<") and found == [value or [] for value in wanted] and found != wanted:
            wrong.append("NULL in lists")
        elif found != wanted:
            wrong.append(f"{name} {next(pair for pair in zip(found, wanted) if pair[0] != pair[1])}")
    return f"all but {', '.join(sorted(set(wrong)))}" if wrong else "yes"


READERS = {
    "DuckDB": ("duckdb", duckdb),
    "PyArrow": ("pyarrow", pyarrow),
    "pandas": ("pandas", pandas),
    "Polars": ("polars", polars),
    "DataFusion": ("datafusion", datafusion),
    "Daft": ("daft", daft),
    "ClickHouse": ("chdb-core", clickhouse),
    "Spark": ("pyspark", spark),
    "delta-rs": ("deltalake", delta),
    "PyIceberg": ("pyiceberg", iceberg),
}


def rows(root, month):
    """The rows of the table."""
    archive = Archive(root, month)
    for reader, (package, read) in READERS.items():
        cells = [f"{reader} {version(package)}"]
        for name in COLUMNS.values():
            try:
                (kind,), _ = read(archive, [name])
                cells.append(f"`{kind}`")
            # A panic of Polars is not an Exception.
            except BaseException as error:
                cells.append("fails")
                print(reader, name, type(error).__name__, str(error)[:300], file=sys.stderr)
        yield f"| {' | '.join([*cells, reads_others(archive, read)])} |"


if __name__ == "__main__":
    print(*rows(*sys.argv[1:]), sep="\n")
