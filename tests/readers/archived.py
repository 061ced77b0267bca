"""Whether an archive equals its source, for the suites that inject faults: `verify.py`, PyArrow and the csv module judge."""

import csv
import gzip
import io
import json

import pyarrow.parquet

from verify import Verifier

MONTHS = ["2025-01", "2025-02", "2025-03"]
COLUMNS = ["id", "created_at", "note"]
ROWS = 40


def events(month):
    """The rows of a month: id, time, note."""
    return [
        [f"{month}-{number:03}", f"{month}-{1 + number % 28:02}T0{number % 10}:00:00Z", f'note "{number}", ü']
        for number in range(ROWS)
    ]


def write_csv(file):
    """Writes the rows of all months, with a header."""
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows(row for month in MONTHS for row in events(month))


def check_archive(root, months, complete, formats=("parquet", "csv"), pending=False, rows=events):
    """Asserts that committed months are whole and equal `rows`.

    With `complete`, all of `months` are there, and no other files; with `pending`, however, a later run may have to add
    sums and remove leftovers.
    """
    manifests = sorted(root.glob("manifests/????????.json"))
    if not manifests:
        assert not complete, f"{root.name} has no manifests"
        return
    findings = Verifier(root)
    findings.verify()
    # Between a manifest and its sums, and between files and their manifest, a run may be killed; the next one goes on there.
    unfinished = {("V006", "missing"), ("V015", "unnamed")} if pending or not complete else set()
    damage = [
        finding
        for finding in findings.findings
        if finding["severity"] == "damage" and (finding["code"], finding["message"]) not in unfinished
    ]
    assert not damage, f"{root.name}: {damage}"
    found = set()
    for path in manifests:
        manifest = json.loads(path.read_text())
        found.add(manifest["month"])
        for format, read in (("parquet", read_parquet), ("csv", read_csv)):
            files = [file["path"] for file in manifest["files"] if file["format"] == format]
            assert bool(files) == (format in formats), f"{root.name} {manifest['month']} has {files}"
            archived = [row for file in files for row in read(root / file)]
            assert not files or sorted(archived) == rows(manifest["month"]), f"{root.name} {manifest['month']} {format}"
    assert found <= set(months), found
    if complete:
        assert found == set(months), f"{root.name} has {sorted(found)}"
    if complete and not pending:
        named = {file["path"] for path in manifests for file in json.loads(path.read_text())["files"]}
        present = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        others = {name for name in present - named if not name.startswith("manifests/") and name != "archive.json"}
        assert not others, f"left behind: {sorted(others)}"


def read_parquet(path):
    table = pyarrow.parquet.read_table(path, partitioning=None)
    for row in table.to_pylist():
        yield [row["id"], row["created_at"].strftime("%Y-%m-%dT%H:%M:%SZ"), note(row)]


def read_csv(path):
    text = io.StringIO(gzip.decompress(path.read_bytes()).decode(), newline="")
    for row in csv.DictReader(text):
        yield [row["id"], row["created_at"].split(".")[0].rstrip("Z") + "Z", note(row)]


def note(row):
    """The note. Unknown members of a JSON artifact are archived in one column."""
    return row["note"] if "note" in row else json.loads(row["extra"])["note"]
