"""Runs the snippets of docs/reading.md unchanged, in the current folder, which must have ./archive.

Usage: reading.py PAGE [NAME]…

Runs all, or those with these names. A snippet has its name after its language: ```sql duckdb month. Python's run one after another, as in a notebook. Prints
{name: rows}, every value as text; a row of a shell's snippet is a line. Fails on a snippet without a name, unless its
section states that the tests do not run it.
"""

import ast
import decimal
import json
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)( [\w ]+)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## ", re.MULTILINE)


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
    return value.values.tolist() if hasattr(value, "values") else value


def shell(text):
    done = subprocess.run(["bash", "-euc", text], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def as_text(value):
    # Some readers show the zeros at the end of a decimal, some do not.
    return format(value, "f").rstrip("0").rstrip(".") if isinstance(value, decimal.Decimal) else str(value)


def main():
    page, *wanted = sys.argv[1:]
    names, results = {}, {}
    for language, name, text in snippets(Path(page).read_text()):
        if wanted and name not in wanted:
            continue
        if language == "sql":
            rows = duckdb(text) if name.startswith("duckdb") else clickhouse(text)
        else:
            rows = shell(text) if language == "sh" else notebook(text, names)
        rows = [row if isinstance(row, (list, tuple)) else [row] for row in rows]
        results[name] = [[as_text(value) for value in row] for row in rows]
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
