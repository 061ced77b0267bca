"""Runs the snippets of docs/reading.md unchanged, in the current folder, which must have ./archive.

Usage: reading.py PAGE [NAME]…

Runs all, or those with these names. A snippet has its name after its language: ```sql duckdb month. Python's run one
after another, as in a notebook. Prints {name: rows}, every value as text; a row of a shell's snippet is a line, and one
of psql's the fields of a line. With all snippets, "types" and "compatible" are the rows of column_types.py for
./typed and ./compatible. Fails on a snippet without a name, unless its section states that the tests do not run it.
"""

import ast
import datetime
import decimal
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import column_types

BLOCK = re.compile(r"^```(\w+)( [\w ]+)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## ", re.MULTILINE)

# Spark takes these from the environment: one thread, no web interface, loopback only, and no optimising compiler, which
# takes longer than the queries.
SPARK = {
    "SPARK_LOCAL_IP": "127.0.0.1",
    "PYSPARK_SUBMIT_ARGS": "--master local[1] --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=1"
    " --conf spark.local.dir=spark --driver-java-options -XX:TieredStopAtLevel=1 pyspark-shell",
}


def snippets(page):
    for section in SECTION.split(page):
        skipped = "Not run by our tests." in section
        for language, name, text in BLOCK.findall(section):
            if bool(name) == skipped:
                sys.exit(f"a snippet that is neither run nor marked as not run: {text}")
            if not skipped:
                yield language, name.strip(), text


def duckdb(text):
    import duckdb

    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection.execute(text).fetchall()


def clickhouse(text):
    import chdb

    settings = "output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1"
    query = text.rstrip().rstrip(";")
    query += f", {settings}" if "\nsettings " in query else f" settings {settings}"
    return json.loads(str(chdb.query(query, "JSONCompact")))["data"]


def notebook(text, names):
    *statements, last = ast.parse(text).body
    exec(compile(ast.Module(statements, []), "<snippet>", "exec"), names)
    value = eval(compile(ast.Expression(last.value), "<snippet>", "eval"), names)
    if hasattr(value, "rows"):
        return value.rows()
    if hasattr(value, "values"):
        return value.values.tolist()
    return [list(row.values()) if isinstance(row, dict) else row for row in value]


def shell(text):
    done = subprocess.run(["bash", "-euc", text], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def psql(text):
    """Runs the text in a shell whose psql connects to the server of the tests."""
    server = urlsplit(os.environ["KT_TEST_POSTGRES"])
    os.environ |= {"PGHOST": server.hostname, "PGPORT": str(server.port), "PGUSER": server.username}
    os.environ["PATH"] = f"{os.environ['KT_TEST_POSTGRES_BIN']}:{os.environ['PATH']}"
    decimals = re.compile(r"\d+\.\d+")
    rows = [line.split() for line in shell(text)]
    return [[decimal.Decimal(field) if decimals.fullmatch(field) else field for field in row] for row in rows]


def as_text(value):
    if isinstance(value, datetime.time):
        return value.isoformat(timespec="microseconds")
    # Some readers show the zeros at the end of a decimal, some do not.
    return format(value, "f").rstrip("0").rstrip(".") if isinstance(value, decimal.Decimal) else str(value)


def main():
    page, *wanted = sys.argv[1:]
    names, results = {}, {}
    os.environ |= SPARK
    for language, name, text in snippets(Path(page).read_text()):
        if wanted and name not in wanted:
            continue
        if language == "sql":
            rows = duckdb(text) if name.startswith("duckdb") else clickhouse(text)
        elif language == "sh":
            rows = psql(text) if name.startswith("psql") else shell(text)
        else:
            rows = notebook(text, names)
        rows = [row if isinstance(row, (list, tuple)) else [row] for row in rows]
        results[name] = [[as_text(value) for value in row] for row in rows]
    if not wanted:
        results["types"] = [[row] for row in column_types.rows("typed", "2025-03")]
        results["compatible"] = [[row] for row in column_types.rows("compatible", "2025-03")]
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
