"""Verifies an archive in a directory, written from docs/format.md alone to prove that the page is complete.

Usage: verify.py ARCHIVE

Prints {"manifests": n, "files": n, "events": n, "findings": [{"code", "severity", "path", "message"}]}. What the page
asks for without a code in brackets has the code "page".
"""

import base64
import collections
import datetime
import gzip
import hashlib
import io
import json
import re
import sys
import uuid
import zlib
from pathlib import Path

import numpy
import pyarrow.parquet

FORMAT = "keeptrusts-archive/1"
CHAIN = re.compile(r"manifests/(\d{8,})\.(json|SHA256SUMS)")
DATA = re.compile(r"([a-z0-9][a-z0-9_-]*)/(parquet|csv|artifact|rejects)/month=(\d{4}-\d{2})/[^/]+")
EVENTS = ("parquet", "csv")
MEMBER = bytes.fromhex("1f8b08040000000000ff080049470400")
MAX_LISTS = 8
TOTALS = {"rows": sum, "first": min, "last": max}
EXTENSIONS = {
    "parquet": r"parquet",
    "csv": r"csv\.gz",
    "artifact": r"(csv|json|jsonl)\.gz",
    "rejects": r"jsonl\.gz",
}
FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\n)')
MICROS_PER_DAY = 86_400_000_000
TIMESTAMP = "Timestamp(isAdjustedToUTC={}, timeUnit=microseconds, is_from_converted_type=false, force_set_converted_type=false)"
LOGICAL_TYPES = {
    "text": "String",
    "json": "JSON",
    "bool": "None",
    "int16": "Int(bitWidth=16, isSigned=true)",
    "int32": "None",
    "int64": "None",
    "float32": "None",
    "float64": "None",
    "timestamp(us,UTC)": TIMESTAMP.format("true"),
    "timestamp(us)": TIMESTAMP.format("false"),
    "date": "Date",
    "time(us)": "Time(isAdjustedToUTC=false, timeUnit=microseconds)",
    "uuid": "UUID",
    "binary": "None",
}


class Verifier:
    def __init__(self, root):
        self.root = Path(root)
        self.findings = []
        self.manifests = {}
        paths = (path.relative_to(root).as_posix() for path in self.root.rglob("*") if path.is_file())
        self.objects = {path for path in paths if not re.search(r"#\d+$", path)}
        self.archive = self.document("archive.json")
        self.expect(self.archive["format"] == FORMAT, "page", "archive.json", "another format")

    def document(self, path):
        return json.loads((self.root / path).read_bytes())

    def expect(self, holds, code, path, message, severity="damage"):
        if not holds:
            self.findings.append({"code": code, "severity": severity, "path": path, "message": message})
        return holds

    def verify(self):
        self.chain()
        for manifest in self.manifests.values():
            self.counts(manifest)
            self.month(manifest)
        self.unnamed()
        return {
            "manifests": len(self.manifests),
            "files": sum(len(manifest["files"]) for manifest in self.manifests.values()),
            "events": sum(manifest["events"]["archived"] for manifest in self.manifests.values()),
            "findings": self.findings,
        }

    def chain(self):
        names = [match for match in map(CHAIN.fullmatch, self.objects) if match]
        lost = not names and any(map(DATA.fullmatch, self.objects))
        self.expect(not lost, "V004", "manifests/00000001.json", "no manifest")
        previous = None
        for sequence in range(1, max((int(name[1]) for name in names), default=0) + 1):
            path = f"manifests/{sequence:08}.json"
            if not self.expect(path in self.objects, "V004", path, "missing"):
                previous = "unknown"
                continue
            sha256 = hashlib.sha256((self.root / path).read_bytes()).hexdigest()
            manifest = self.document(path)
            if previous != "unknown":
                self.expect(manifest["previous"] == previous, "V003", path, "does not follow")
            previous = {"sequence": sequence, "sha256": sha256}
            self.head(sequence, path, manifest)
            self.sums(path, sha256, manifest)
            self.manifests[sequence] = manifest

    def head(self, sequence, path, manifest):
        self.expect(manifest["format"] == FORMAT, "V003", path, "another format")
        self.expect(manifest["sequence"] == sequence, "V003", path, "another number")
        self.expect(manifest["archive"] == self.archive["archive"], "V007", path, "another archive's")
        if sequence == 1 and "archive_sha256" in manifest:
            sha256 = hashlib.sha256((self.root / "archive.json").read_bytes()).hexdigest()
            self.expect(sha256 == manifest["archive_sha256"], "V012", "archive.json", "digest")
        whole = [(one["dataset"], one["month"]) for one in self.manifests.values() if one["kind"] == "month"]
        twice = manifest["kind"] == "month" and (manifest["dataset"], manifest["month"]) in whole
        self.expect(not twice, "V016", path, "a month twice")
        self.expect(all(map(are_ranges, manifest["files"])), "V003", path, "row groups and footer")
        if manifest["schema"] is None:
            events = [file for file in manifest["files"] if file["format"] in EVENTS]
            self.expect(not events, "V024", path, "event files without a schema")
            return
        nested = any(column["type"].count("list<") > MAX_LISTS for column in manifest["schema"]["columns"])
        self.expect(not nested, "V003", path, "lists too deep")
        keys = ("name", "type", "source_type", "nullable")
        columns = [{key: column[key] for key in keys} for column in manifest["schema"]["columns"]]
        compact = json.dumps(columns, separators=(",", ":"), ensure_ascii=False).encode()
        self.expect(hashlib.sha256(compact).hexdigest() == manifest["schema"]["sha256"], "V024", path, "schema")

    def sums(self, path, sha256, manifest):
        sums = path.replace(".json", ".SHA256SUMS")
        if self.expect(sums in self.objects, "V006", sums, "missing"):
            lines = [(file["sha256"], file["path"]) for file in manifest["files"]] + [(sha256, path)]
            text = "".join(f"{digest}  {path}\n" for digest, path in lines)
            self.expect((self.root / sums).read_bytes() == text.encode(), "V006", sums, "differ")

    def counts(self, manifest):
        path = f"manifests/{manifest['sequence']:08}.json"
        events = manifest["events"]
        accounted = sum(events[name] for name in ("archived", "outside_window", "duplicates", "rejected"))
        self.expect(events["read"] == accounted, "V021", path, "counts")
        rows = {format: [file["rows"] for file in manifest["files"] if file["format"] == format] for format in EXTENSIONS}
        for format in EVENTS:
            self.expect(not rows[format] or sum(rows[format]) == events["archived"], "V021", path, f"rows of {format}")
        self.expect(sum(rows["rejects"]) == events["rejected"], "V021", path, "rows of rejects")
        for file in manifest["files"]:
            groups = file.get("row_groups", [])
            totals = [combine(group[name] for group in groups) for name, combine in TOTALS.items() if groups]
            self.expect(not groups or totals == [file[name] for name in TOTALS], "V021", path, "row groups")
        files = [file for file in manifest["files"] if file["format"] != "rejects"]
        self.expect(files or not events["archived"], "V021", path, "events without a file")

    def month(self, manifest):
        rows = {format: [] for format in EVENTS}
        for file in manifest["files"]:
            path = file["path"]
            if not self.expect(path in self.objects, "V010", path, "missing"):
                continue
            content = (self.root / path).read_bytes()
            if not self.expect(len(content) == file["bytes"], "V011", path, "size"):
                continue
            if not self.expect(hashlib.sha256(content).hexdigest() == file["sha256"], "V012", path, "digest"):
                continue
            folder = f"{manifest['dataset']}/{file['format']}/month={manifest['month']}"
            name = rf"{folder}/part-\d{{5}}-{file['sha256'][:16]}\.{EXTENSIONS[file['format']]}"
            self.expect(re.fullmatch(name, path), "page", path, "name")
            for part in ranges(file):
                digest = hashlib.sha256(content[part["offset"] : part["offset"] + part["bytes"]]).hexdigest()
                self.expect(digest == part["sha256"], "V012", path, f"digest from byte {part['offset']} on")
            if file["format"] not in EVENTS:
                self.kept(file)
                continue
            read = self.parquet if file["format"] == "parquet" else self.csv
            found = list(read(path, manifest))
            self.rows(manifest, file, found)
            if "row_groups" in file:
                self.row_groups(manifest, file, found)
            rows[file["format"]] += found
        if rows["parquet"] and rows["csv"]:
            self.expect(rows["parquet"] == rows["csv"], "page", manifest["month"], "Parquet and CSV differ")

    def rows(self, manifest, file, rows):
        path, schema, window = file["path"], manifest["schema"], manifest["window"]
        names = [column["name"] for column in schema["columns"]]
        id, time = names.index(schema["id"]), names.index(schema["time"])
        # A time without a zone is one in UTC.
        times = [row[time].removesuffix("Z") + "Z" for row in rows]
        self.expect(len(rows) == file["rows"], "V020", path, "rows")
        self.expect((min(times), max(times)) == (file["first"], file["last"]), "V021", path, "first and last")
        self.expect(all(window["from"] <= at < window["to"] for at in times), "V022", path, "outside")
        ids = collections.Counter(row[id] for row in rows)
        shared = sum(count for count in ids.values() if count > 1)
        conflicts = manifest["events"]["conflicts"]
        self.expect(shared <= conflicts, "V023", path, "ids twice")
        whole = len(rows) == manifest["events"]["archived"]
        self.expect(not whole or shared >= conflicts, "V021", path, "conflicts that are none")

    def row_groups(self, manifest, file, rows):
        """Compares the row groups of the manifest with those of the Parquet file and with its rows."""
        path, schema = file["path"], manifest["schema"]
        time = [column["name"] for column in schema["columns"]].index(schema["time"])
        metadata = pyarrow.parquet.read_metadata(self.root / path)
        found = []
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            columns = [group.column(column) for column in range(group.num_columns)]
            starts = [
                min(column.data_page_offset, column.dictionary_page_offset or column.data_page_offset)
                for column in columns
            ]
            size = sum(column.total_compressed_size for column in columns)
            times = [row[time].removesuffix("Z") + "Z" for row in rows[: group.num_rows]]
            rows = rows[group.num_rows :]
            found.append((min(starts), size, group.num_rows, min(times), max(times)))
        names = ("offset", "bytes", "rows", "first", "last")
        named = [tuple(group[name] for name in names) for group in file["row_groups"]]
        self.expect(found == named, "V024", path, f"row groups {found}")

    def kept(self, file):
        """Artifacts and rejected rows, unchanged."""
        path = file["path"]
        self.expect((file["first"], file["last"]) == (None, None), "V021", path, "first and last")
        try:
            content = gzip.decompress((self.root / path).read_bytes())
            if file["format"] == "rejects":
                # Unlike `splitlines`, a buffer ends lines at line feeds alone.
                rows = [reject(line) for line in io.BytesIO(content)]
                self.expect(len(rows) == file["rows"], "V020", path, "rows")
        except (EOFError, KeyError, OSError, ValueError, zlib.error) as error:
            self.expect(False, "V024", path, f"cannot be decoded: {error}")

    def csv(self, path, manifest):
        """Each row as a list of its fields; None is NULL."""
        data = (self.root / path).read_bytes()
        self.expect(data[4:8] == bytes(4), "page", path, "a modification time")
        texts = [gzip.decompress(member) for member in members(data)]
        self.expect(all(len(text) >= 1 << 20 for text in texts[:-1]), "page", path, "a small member")
        self.expect(all(text.endswith(b"\n") for text in texts), "page", path, "a member ends inside a row")
        records = csv_records(b"".join(texts).decode())
        self.expect(next(records) == [column["name"] for column in manifest["schema"]["columns"]], "V024", path, "header")
        return records

    def parquet(self, path, manifest):
        """Each row as the list of fields that the table of types makes of it."""
        file = pyarrow.parquet.ParquetFile(self.root / path)
        columns = manifest["schema"]["columns"]
        found = [(column.path, str(column.logical_type)) for column in file.schema]
        expected = [leaf(column["name"], column["type"]) for column in columns]
        self.expect(found == expected, "V024", path, f"columns {found}")
        label = {
            "keeptrusts.format": FORMAT,
            "keeptrusts.archive": self.archive["archive"],
            "keeptrusts.dataset": manifest["dataset"],
            "keeptrusts.month": manifest["month"],
            "keeptrusts.schema_sha256": manifest["schema"]["sha256"],
        }
        metadata = {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}
        self.expect(label.items() <= metadata.items(), "page", path, "key-value metadata")
        for batch in file.iter_batches():
            for row in zip(*(column_texts(array, column) for array, column in zip(batch.columns, columns))):
                yield list(row)

    def unnamed(self):
        named = {file["path"] for manifest in self.manifests.values() for file in manifest["files"]}
        committed = {(manifest["dataset"], manifest["month"]) for manifest in self.manifests.values()}
        for path in sorted(self.objects - named - {"archive.json"}):
            data = DATA.fullmatch(path)
            damage = data and (data[1], data[3]) in committed
            self.expect(CHAIN.fullmatch(path), "V015", path, "unnamed", "damage" if damage else "warning")


def ranges(file):
    """The row groups and the footer of a file."""
    return [*file.get("row_groups", []), *([file["footer"]] if "footer" in file else [])]


def are_ranges(file):
    """Whether the row groups and the footer of a file, if there are any, follow each other to its end."""
    if "row_groups" not in file and "footer" not in file:
        return True
    if file["format"] != "parquet" or "row_groups" not in file or "footer" not in file:
        return False
    end = len(b"PAR1")
    for part in ranges(file):
        if part["offset"] != end or part["bytes"] < 1:
            return False
        end += part["bytes"]
    return end == file["bytes"]


def reject(line):
    """The row that a line of a rejects file keeps."""
    if not line.endswith(b"\n"):
        raise ValueError("a line without an end")
    fields = json.loads(line)
    if not isinstance(fields["line"], int) or not isinstance(fields["reason"], str):
        raise ValueError("a line without its number or reason")
    if ("row" in fields) == ("row_base64" in fields):
        raise ValueError("a line has either a row or a row_base64")
    return fields["row"].encode() if "row" in fields else base64.b64decode(fields["row_base64"], validate=True)


def members(data):
    """The members of a gzip file, by the lengths in their headers; the whole of a file without them."""
    if not data.startswith(MEMBER):
        return [data]
    found = []
    while data:
        if not data.startswith(MEMBER):
            raise ValueError("no member follows")
        length = max(int.from_bytes(data[len(MEMBER):][:4], "little"), 1)
        found.append(data[:length])
        data = data[length:]
    return found


def csv_records(text):
    record, position = [], 0
    while position < len(text):
        field = FIELD.match(text, position)
        quoted, plain, end = field.groups()
        record.append(quoted.replace('""', '"') if quoted is not None else plain or None)
        if end == "\n":
            yield record
            record = []
        position = field.end()


def leaf(path, kind):
    """The path and the logical type of the values of a column."""
    if kind.startswith("list<"):
        return leaf(f"{path}.list.element", kind[5:-1])
    if kind.startswith("decimal("):
        precision, scale = kind[8:-1].split(",")
        return path, f"Decimal(precision={precision}, scale={scale})"
    return path, LOGICAL_TYPES[kind]


def column_texts(array, column):
    """The values of a Parquet column as the CSV files have them; None is NULL."""
    found = texts(array, column["type"])
    if column["type"] == "decimal(38,18)" and column["source_type"] is None:
        found = [text if text is None else text.rstrip("0").rstrip(".") for text in found]
    return found


def texts(array, kind):
    if isinstance(array, pyarrow.ExtensionArray):
        array = array.storage
    if kind.startswith("list<"):
        elements = [as_json(text, kind[5:-1]) for text in texts(array.values, kind[5:-1])]
        offsets = array.offsets.to_pylist()
        lists = [f"[{','.join(elements[start:end])}]" for start, end in zip(offsets, offsets[1:])]
        return [text if valid else None for text, valid in zip(lists, array.is_valid().to_pylist())]
    # Python's dates and times end with the year 9999.
    if kind == "date":
        array = array.cast(pyarrow.int32())
    elif kind.startswith("time"):
        array = array.cast(pyarrow.int64())
    return [value if value is None else as_text(value, kind) for value in array.to_pylist()]


def as_text(value, kind):
    if kind in ("text", "json"):
        return value
    if kind == "bool":
        return "true" if value else "false"
    if kind.startswith("int"):
        return str(value)
    if kind.startswith("float"):
        return float_text(numpy.float32(value) if kind == "float32" else numpy.float64(value))
    if kind.startswith("decimal("):
        return format(value, "f")
    if kind == "timestamp(us,UTC)":
        return date_time_text(value) + "Z"
    if kind == "timestamp(us)":
        return date_time_text(value)
    if kind == "date":
        return date_text(value)
    if kind == "time(us)":
        return time_text(value)
    if kind == "uuid":
        return str(uuid.UUID(bytes=value))
    if kind == "binary":
        return value.hex()
    raise ValueError(f"a column type that the page does not name: {kind}")


def as_json(text, kind):
    """A value as an element of a JSON array."""
    if text is None:
        return "null"
    if kind == "text":
        return json.dumps(text, ensure_ascii=False)
    beyond = text in ("NaN", "Infinity", "-Infinity")
    is_string = kind in ("date", "uuid", "binary") or kind.startswith("time") or kind.startswith("float") and beyond
    return f'"{text}"' if is_string else text


def float_text(value):
    if numpy.isnan(value):
        return "NaN"
    if numpy.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-5 <= abs(float(value)) < 1e16:
        return numpy.format_float_positional(value, trim="-")
    return numpy.format_float_scientific(value, trim="-", exp_digits=1).replace("e+", "e")


def date_text(days):
    # The calendar repeats itself after 400 years.
    eras, days = divmod(days, 146_097)
    date = datetime.date(1970, 1, 1) + datetime.timedelta(days)
    year = date.year + 400 * eras
    year = f"{year:04}" if 0 <= year <= 9999 else f"{year:+05}"
    return f"{year}-{date.month:02}-{date.day:02}"


def time_text(micros):
    seconds, micros = divmod(micros, 1_000_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}"


def date_time_text(micros):
    days, micros = divmod(micros, MICROS_PER_DAY)
    return f"{date_text(days)}T{time_text(micros)}"


if __name__ == "__main__":
    json.dump(Verifier(sys.argv[1]).verify(), sys.stdout)
