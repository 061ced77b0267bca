"""Reads the events of an archive, and prints each value as a lossless text.

Usage: exact.py duckdb|pyarrow|csv ARCHIVE [DATASET]

Prints {"columns": {name: type}, "rows": {id: {name: value}}}. A value is null, a text, or a list of such. In Parquet,
instants are microseconds since 1970 and dates days since then, so that no year is out of a reader's range. Floats are
their bits in hexadecimal, since many texts are the same number, and binaries their bytes. All else has the text that
the format's page gives it in CSV.
"""

import decimal
import json
import re
import struct
import sys
import uuid
from pathlib import Path

from verify import csv_records


def bits(value, width):
    return struct.pack(">f" if width == 32 else ">d", value).hex()


def with_duckdb(folder):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    relation = f"read_parquet('{folder}/parquet/*/*.parquet', hive_partitioning = false, union_by_name = true)"
    columns = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
    exact = ", ".join(duckdb_text(quoted(name), kind) for name, kind in columns.items())
    rows = connection.execute(f"SELECT {exact} FROM {relation}").fetchall()
    kinds = columns.values()
    return columns, [dict(zip(columns, map(number, row, kinds))) for row in rows]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def duckdb_text(value, kind):
    """SQL that makes an exact value of one of this type. Floats and decimals stay what they are."""
    if kind.endswith("[]"):
        return f"list_transform({value}, element -> {duckdb_text('element', kind[:-2])})"
    if kind.startswith("TIME"):
        return f"epoch_us({value})::VARCHAR"
    if kind == "DATE":
        return f"({value} - DATE '1970-01-01')::VARCHAR"
    if kind == "BLOB":
        return f"lower(hex({value}))"
    return value if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL") else f"{value}::VARCHAR"


def number(value, kind):
    if isinstance(value, list):
        return [number(element, kind[:-2]) for element in value]
    return value if value is None else python_text(value, 32 if kind == "FLOAT" else 64)


def with_pyarrow(folder):
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(folder / "parquet", format="parquet").to_table().combine_chunks()
    columns = {field.name: str(field.type) for field in table.schema}
    values = [arrow_values(table.column(name).combine_chunks()) for name in columns]
    return columns, [dict(zip(columns, row)) for row in zip(*values)]


def arrow_values(array):
    import pyarrow

    kind = array.type
    if isinstance(kind, pyarrow.BaseExtensionType):
        name, array = kind.extension_name, array.storage
        values = array.to_pylist()
        return [value and str(uuid.UUID(bytes=value)) for value in values] if name == "arrow.uuid" else values
    if pyarrow.types.is_list(kind):
        elements, ends = arrow_values(array.values), array.offsets.to_pylist()
        spans = zip(array.is_valid().to_pylist(), ends, ends[1:])
        return [elements[start:end] if valid else None for valid, start, end in spans]
    if pyarrow.types.is_timestamp(kind) or pyarrow.types.is_time64(kind):
        array = array.cast(pyarrow.int64())
    elif pyarrow.types.is_date32(kind):
        array = array.cast(pyarrow.int32())
    width = 32 if pyarrow.types.is_float32(kind) else 64
    return [value if value is None else python_text(value, width) for value in array.to_pylist()]


def python_text(value, width):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return bits(value, width)
    if isinstance(value, bytes):
        return value.hex()
    return format(value, "f") if isinstance(value, decimal.Decimal) else str(value)


def with_csv(archive, folder):
    import gzip

    manifests = (json.loads(path.read_bytes()) for path in sorted((archive / "manifests").glob("*.json")))
    columns, rows = {}, []
    for manifest in manifests:
        if manifest["dataset"] != folder.name or not manifest["schema"]:
            continue
        kinds = {column["name"]: column["type"] for column in manifest["schema"]["columns"]}
        columns |= kinds
        for file in (file for file in manifest["files"] if file["format"] == "csv"):
            records = csv_records(gzip.decompress((archive / file["path"]).read_bytes()).decode())
            names = next(records)
            rows += [{name: csv_value(text, kinds[name]) for name, text in zip(names, record)} for record in records]
    return columns, rows


def csv_value(text, kind):
    """The value of a field; `text` may also be what JSON has for an element of a list."""
    if text is None:
        return None
    if element := re.fullmatch("list<(.*)>", kind):
        if element[1] == "json":
            return [None if value is None else json.dumps(value) for value in json.loads(text)]
        return [csv_value(value, element[1]) for value in json.loads(text, parse_int=str, parse_float=str)]
    if isinstance(text, bool):
        return "true" if text else "false"
    return bits(float(text), int(kind[5:])) if kind.startswith("float") else text


def main():
    how, archive, *rest = sys.argv[1:]
    folder = Path(archive) / (rest[0] if rest else "events")
    readers = {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "csv": lambda folder: with_csv(Path(archive), folder)}
    columns, rows = readers[how](folder)
    key = "id" if "id" in columns else next(iter(columns))
    found = {row[key]: row for row in rows}
    if len(found) < len(rows):
        sys.exit("an id twice")
    json.dump({"columns": columns, "rows": found}, sys.stdout)


if __name__ == "__main__":
    main()
