"""Inputs that ask for more memory than a run may take: large, repetitive, deep, wide, or compressed without measure.

An `Input` makes its source, and knows what has to come of it: `Archived`, the events by month that the source has, or
`Refused`, an exit code and words of the message.
"""

import json
import os
import subprocess
import threading
import uuid
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MIB = 1 << 20
# More than the limit of memory, so that a program that holds it cannot pass.
SIZES = {"small": 320 * MIB, "whole": 1024 * MIB}
HEADER = b"id,created_at,note\n"
FIRST = b"a,2025-03-01T00:00:00Z,"
OTHER = b"b,2025-04-02T00:00:00Z,short\n"
BLOCK = 1 * MIB


class Archived:
    """These numbers of events by month; `ids` are those that differ, if some do not, and `texts` the bytes of texts."""

    def __init__(self, ids=None, texts=None, code=0, **months):
        self.months = {f"2025-{name[1:]}": count for name, count in months.items()}
        self.ids, self.texts, self.code = ids, texts, code


class Refused:
    """This exit code and these words, and nothing is committed."""

    def __init__(self, code, words):
        self.code, self.words = code, words


class Input:
    def __init__(self, name, make, options=(), in_small=True):
        self.name, self.make, self.options, self.in_small = name, make, options, in_small


class Place:
    """Where inputs are made: a folder, a database and a platform, and how much of each there is to be."""

    def __init__(self, folder, scale):
        self.folder, self.scale = folder, scale
        self.size = SIZES[scale]
        self.database = self.platform = None

    def count(self, whole, small):
        return whole if self.scale == "whole" else small

    def path(self, name):
        return os.path.join(self.folder, name)

    def plain(self, name, *parts):
        with open(self.path(name), "wb") as file:
            for block in blocks(parts):
                file.write(block)
        return self.path(name)

    def gzipped(self, name, *parts, level=1):
        with open(self.path(name), "wb") as file:
            compressor = zlib.compressobj(level, zlib.DEFLATED, 31)
            for block in blocks(parts):
                file.write(compressor.compress(block))
            file.write(compressor.flush())
        return self.path(name)

    def sql(self, statements):
        """Executes statements in a database of its own."""
        if self.database is None:
            self.database = f"limits_{uuid.uuid4().hex[:12]}"
            psql(os.environ["KT_TEST_POSTGRES"], f"create database {self.database}")
        psql(self.url(), statements)

    def url(self):
        return f"{os.environ['KT_TEST_POSTGRES']}/{self.database}"

    def serve(self, make_parts):
        self.platform = Platform(make_parts)
        return self.platform.url

    def close(self):
        if self.database:
            psql(os.environ["KT_TEST_POSTGRES"], f"drop database {self.database} with (force)")
        if self.platform:
            self.platform.close()


def psql(url, statements):
    line = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url]
    subprocess.run(line, input=statements.encode(), check=True, stdout=subprocess.DEVNULL)


class Platform:
    """The least of an exports API: a job that is done at once, and its artifact as chunks."""

    def __init__(self, make_parts):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path.endswith(("/artifact", "/download")):
                    self.send_response(200)
                    self.send_header("Content-Type", "text/csv")
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    try:
                        for block in blocks(make_parts()):
                            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
                        self.wfile.write(b"0\r\n\r\n")
                    except OSError:
                        self.close_connection = True
                elif self.path.rstrip("/") in ("/v1/exports", "/v1/exports/jobs"):
                    self.answer({"exports": []})
                else:
                    self.answer({"id": "exp_0001", "status": "completed"})

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer({"id": "exp_0001", "status": "queued"}, 201)

            def answer(self, document, status=200):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def blocks(parts):
    """Blocks of at most some MiB of parts, which are bytes, (bytes, times) or iterators of bytes."""
    for part in parts:
        if isinstance(part, bytes):
            yield part
        elif isinstance(part, tuple):
            text, times = part
            many = max(1, BLOCK // len(text))
            block = text * many
            for _ in range(times // many):
                yield block
            if times % many:
                yield text * (times % many)
        else:
            yield from part


def rows(count, line, step=50_000):
    """`line(number)` for each number, in blocks."""
    for start in range(0, count, step):
        yield "".join(line(number) for number in range(start, min(start + step, count))).encode()


# Many rows.


def tiny_rows_csv(place):
    count = place.count(10_000_000, 200_000)
    line = lambda number: f"{number},2025-03-{1 + number * 31 // count:02}T10:00:00Z\n"
    return place.plain("rows.csv", b"id,created_at\n", rows(count, line)), Archived(m03=count)


def tiny_rows_ndjson(place):
    count = place.count(10_000_000, 100_000)
    line = lambda number: f'{{"id":"{number}","created_at":"2025-03-{1 + number * 31 // count:02}T10:00:00Z"}}\n'
    return place.plain("rows.jsonl", rows(count, line)), Archived(m03=count)


def tiny_rows_postgres(place):
    count = place.count(10_000_000, 100_000)
    place.sql(f"""
        create unlogged table events as
        select number::text as id, timestamptz '2025-03-01' + number * interval '31 days' / {count} as created_at
        from generate_series(0, {count - 1}) as number;
        create index on events (created_at); analyze events""")
    return place.url(), Archived(m03=count)


def duplicates(count, extra=lambda number: ""):
    return rows(count, lambda number: f"same,2025-03-05T10:00:00Z,note{extra(number)}\n")


def exact_duplicates_csv(place):
    count = place.count(1_000_000, 200_000)
    return place.plain("rows.csv", HEADER, duplicates(count)), Archived(m03=1)


def too_many_duplicates_csv(place):
    return place.gzipped("rows.csv.gz", HEADER, (next(duplicates(1)), place.count(5_000_000, 1_510_000))), Refused(5, "share their ids")


def exact_duplicates_api(place):
    count = place.count(1_000_000, 100_000)
    return place.serve(lambda: [HEADER, duplicates(count)]), Archived(m03=1)


def conflicts_csv(place):
    count = place.count(1_000_000, 100_000)
    return place.plain("rows.csv", HEADER, duplicates(count, str)), Archived(m03=count, ids=1, code=5)


def conflicts_refused(place):
    return conflicts_csv(place)[0], Refused(5, "conflict")


def rejected_rows(place):
    count = place.count(3_000_000, 30_000)
    return place.plain("rows.csv", HEADER, FIRST, b"x\n", rows(count, lambda number: f"{number},no time,x\n")), Archived(m03=1, code=5)


def every_month(place):
    """An event in each month of all years, of which one month is wanted."""
    line = lambda month: f"{month},{1 + month // 12:04}-{1 + month % 12:02}-02T00:00:00Z,x\n"
    return place.plain("rows.csv", HEADER, rows(9_999 * 12, line)), Archived(m03=1, m04=1)


def many_files(place):
    count = place.count(10_000, 1_000)
    os.mkdir(place.path("many"))
    for number in range(count):
        place.plain(f"many/{number}.csv", HEADER, f"{number},2025-03-01T00:00:00Z,x\n".encode())
    return place.path("many/*.csv"), Archived(m03=count)


# Long rows and texts.


def line_csv(place):
    return place.gzipped("rows.csv.gz", HEADER, FIRST, (b"a", place.size), b"\n", OTHER), Refused(6, "longer than 4 MiB")


def open_quote_csv(place):
    return place.gzipped("rows.csv.gz", HEADER, FIRST, b'"', (b"a,b\n", place.size // 4)), Refused(6, "longer than 4 MiB")


def sparse_csv(place):
    """Without disk space: the row is a hole."""
    path = place.plain("rows.csv", HEADER, FIRST)
    os.truncate(path, place.size)
    with open(path, "ab") as file:
        file.write(b"\n" + OTHER)
    return path, Refused(6, "binary data")


def header_csv(place):
    return place.gzipped("rows.csv.gz", HEADER[:-1], b",", (b"a", place.size), b"\n", FIRST, b"x,y\n"), Refused(6, "longer than 4 MiB")


def many_names_csv(place):
    return place.gzipped("rows.csv.gz", HEADER[:-1], (b",a", place.size // 2), b"\n", FIRST, b"x\n"), Refused(6, "longer than 4 MiB")


def carriage_returns_csv(place):
    rows = b"a,2025-03-01T00:00:00Z,x\r", place.size // 25
    return place.gzipped("rows.csv.gz", HEADER.replace(b"\n", b"\r"), rows), Refused(6, "longer than 4 MiB")


JSON_ROW = b'{"id":"a","created_at":"2025-03-01T00:00:00Z","note":'


def json_text(name, before, after):
    def make(place):
        value = [JSON_ROW, b'"', (b"a", place.size), b'"}']
        return place.gzipped(name, before, *value, after), Refused(6, "longer than 4 MiB")

    return make


def json_number(place):
    return place.gzipped("rows.jsonl.gz", JSON_ROW, (b"1", place.size), b"}\n"), Refused(6, "longer than 4 MiB")


def json_name(place):
    return place.gzipped("rows.jsonl.gz", b'{"id":"a","', (b"n", place.size), b'":1}\n'), Refused(6, "longer than 4 MiB")


def json_spaces_in_row(place):
    return place.gzipped("rows.jsonl.gz", b'{"id":"a",', (b" ", place.size), b'"n":1}\n'), Refused(6, "longer than 4 MiB")


def many_names_in_row(place):
    names = rows(place.count(300_000, 60_000), lambda number: f'"n{number}":{number},')
    row = b"".join(names)[: 3 * MIB].rpartition(b",")[0]
    return place.plain("rows.jsonl", JSON_ROW, b'"",', row, b"}\n"), Archived(m03=1)


def names_of_its_own_in_each_row(place):
    count = place.count(1_000_000, 50_000)
    line = lambda number: f'{{"id":"{number}","created_at":"2025-03-01T00:00:00Z","n{number}":1}}\n'
    return place.plain("rows.jsonl", rows(count, line)), Archived(m03=count)


def ten_thousand_names(place):
    """Row 16 of the faults found, as JSON: 10,000 names in each row."""
    count = place.count(3_000, 100)
    names = ",".join(f'"n{number}":{number % 1_000}' for number in range(9_998))
    line = lambda number: f'{{"id":"{number}","created_at":"2025-0{3 + 2 * number // count}-02T00:00:00Z",{names}}}\n'
    return place.gzipped("rows.jsonl.gz", rows(count, line, 10)), Archived(m03=count // 2, m04=count - count // 2)


def ten_thousand_columns_csv(place):
    names = b",".join(b"c%d" % number for number in range(9_998))
    values = (b"a,2025-03-01T00:00:00Z," + b",".join(b"%d" % (number % 1_000) for number in range(9_998)) + b"\n", 3_000)
    return place.gzipped("rows.csv.gz", b"id,created_at,", names, b"\n", values), Refused(6, "at most 600")


def sixteen_thousand_columns_csv(place):
    names = b",".join(b"c%d" % number for number in range(15_998))
    tail = b",".join(b"%d" % (number % 1_000) for number in range(15_998)) + b"\n"
    months = ((b"a,2025-03-01T00:00:00Z," + tail, 500), (b"a,2025-04-01T00:00:00Z," + tail, 500))
    return place.gzipped("rows.csv.gz", b"id,created_at,", names, b"\n", *months), Refused(6, "at most 600")


def sixty_mb_field_csv(place):
    return place.gzipped("rows.csv.gz", HEADER, FIRST, (b"a", 60_000_000), b"\n", OTHER), Refused(6, "longer than 4 MiB")


def long_rows_ndjson(place):
    """Rows just below the limit of 4 MiB, in two months at once."""
    count = place.count(48, 12)
    text = 4 * MIB - 200
    made = (
        b'{"id":"%02d","created_at":"2025-0%d-02T00:00:00Z","user_id":"%s"}\n' % (number, 3 + 2 * number // count, bytes([97 + number % 26]) * text)
        for number in range(count)
    )
    return place.plain("rows.jsonl", made), Archived(m03=count // 2, m04=count // 2, texts=count * (text + 2))


def escapes_ndjson(place):
    """Rows of escapes and of quotes, which grow as JSON and as CSV."""
    count = place.count(24, 8)
    row = JSON_ROW.replace(b'"a"', b'"%d"').replace(b"note", b"user_id")
    quotes = 2 * MIB - 100
    made = (row % number + b'"' + b'\\"' * quotes + b'"}\n' for number in range(10, 10 + count))
    return place.plain("rows.jsonl", made), Archived(m03=count, texts=count * (quotes + 2))


def long_values_csv(columns, size, rows_whole, rows_small):
    """Rows of `columns` long values, in two months at once."""

    def make(place):
        count = place.count(rows_whole, rows_small)
        header = b"id,created_at," + b",".join(b"c%d" % column for column in range(columns)) + b"\n"

        def row(number):
            month = 3 + 2 * number // count
            texts = (f"{number * columns + column:08x}" * (size // 8) for column in range(columns))
            return f"{number},2025-{month:02}-02T00:00:00Z,{','.join(texts)}\n"

        return place.plain("rows.csv", header, rows(count, row, 1)), Archived(m03=count // 2, m04=count // 2)

    return make


# Compressed without measure.


def only(text, name, words="longer than 4 MiB"):
    """Nothing but `text`, again and again."""

    def make(place):
        return place.gzipped(name, (text, place.size // len(text))), Refused(6, words)

    return make


def blank_lines_gzipped_csv(place):
    return place.gzipped("rows.csv.gz", HEADER, FIRST, b"x\n", (b"\n", place.size), OTHER), Refused(6, "implausibly large")


def blank_lines_csv(place):
    return place.plain("rows.csv", HEADER, FIRST, b"x\n", (b"\n", place.size), OTHER), Archived(m03=1, m04=1)


def blank_lines_ndjson(place):
    return place.gzipped("rows.jsonl.gz", JSON_ROW, b"1}\n", (b"\n", place.size)), Refused(6, "longer than 4 MiB")


def spaces_json(place):
    return place.gzipped("rows.json.gz", b"[", JSON_ROW, b"1}", (b" ", place.size), b"]"), Refused(6, "longer than 4 MiB")


def row_repeated(place):
    row = FIRST + b"x\n"
    return place.gzipped("rows.csv.gz", HEADER, (row, place.size // len(row))), Refused(5, "share their ids")


def nested_gzip(place):
    inner = place.gzipped("inner.gz", (b"\0", place.size))
    with open(inner, "rb") as file:
        return place.gzipped("rows.csv.gz", iter(lambda: file.read(BLOCK), b"")), Refused(6, "gzip inside gzip")


def many_members(place):
    count = place.count(1_000_000, 50_000)
    path = place.gzipped("rows.csv.gz", HEADER)
    with open(path, "ab") as file:
        for block in range(0, count, 1_000):
            members = (f"{number},2025-03-01T00:00:00Z,x\n".encode() for number in range(block, block + 1_000))
            file.write(b"".join(zlib.compress(member, 1, 31) for member in members))
    return path, Archived(m03=count)


def empty_members(place):
    path = place.gzipped("rows.csv.gz", HEADER, FIRST, b"x\n")
    with open(path, "ab") as file:
        for _ in range(place.count(3_000, 300)):
            file.write(zlib.compress(b"", 1, 31) * 1_000)
    return path, Archived(m03=1)


# Deep documents.

DEPTH = 100_000


def deep_value(opening, closing):
    def make(place):
        deep = [JSON_ROW, opening * DEPTH, b"1", closing * DEPTH, b"}\n"]
        whole = b'{"id":"b","created_at":"2025-03-02T00:00:00Z","note":"x"}\n'
        return place.plain("rows.jsonl", whole, *deep, whole.replace(b'"b"', b'"c"')), Archived(m03=2, code=5)

    return make


def deep_around(opening, closing):
    def make(place):
        return place.plain("rows.json", opening * DEPTH, b"[", JSON_ROW, b"1}]", closing * DEPTH), Refused(6, "records are not events")

    return make


def deep_member(place):
    text = [b'{"other":', b"[" * DEPTH, b"]" * DEPTH, b',"events":[', JSON_ROW, b"1}]}"]
    return place.plain("rows.json", *text), Refused(6, "JSON around the records")


def text_that_looks_deep(place):
    value = b'"' + b"[" * DEPTH + b'"'
    return place.plain("rows.jsonl", JSON_ROW, value, b"}\n"), Archived(m03=1)


# Databases.


def columns_1600(place):
    count = place.count(20_000, 200)
    values = ", ".join(f"(number * {column} % 1000)::smallint as c{column}" for column in range(1, 1_599))
    place.sql(f"""
        create unlogged table events as
        select number::int as id, '2025-03-01'::timestamptz + number % 2 * interval '40 days' as created_at, {values}
        from generate_series(1, {count}) as number""")
    return place.url(), Archived(m03=count // 2, m04=count // 2)


def columns_256_of_long_values(place):
    """Rows of 256 values of 8 KB, thus of 2 MiB, in two months at once."""
    count = place.count(200, 8)
    values = ", ".join(f"repeat(md5((number * 1000 + {column})::text), 256) as c{column}" for column in range(254))
    place.sql(f"""
        create unlogged table events as
        select number::int as id, '2025-03-01'::timestamptz + number % 2 * interval '40 days' as created_at, {values}
        from generate_series(1, {count}) as number""")
    return place.url(), Archived(m03=count // 2, m04=count // 2)


def long_text_postgres(size, expectation):
    def make(place):
        place.sql(f"""
            create unlogged table events (id int, created_at timestamptz, note text);
            insert into events select number, '2025-03-05', 'x' from generate_series(10, 19) as number;
            insert into events select number, '2025-03-06', repeat('y', {size}) from generate_series(20, 22) as number""")
        return place.url(), expectation

    return make


def duplicates_postgres(place):
    count = place.count(1_000_000, 100_000)
    place.sql(f"""
        create unlogged table events as select 'same' as id, timestamptz '2025-03-05' as created_at, 'note' as note
        from generate_series(1, {count})""")
    return place.url(), Archived(m03=1)


INPUTS = [
    Input("10⁷ tiny rows, CSV", tiny_rows_csv),
    Input("10⁷ tiny rows, NDJSON", tiny_rows_ndjson),
    Input("10⁷ tiny rows, PostgreSQL", tiny_rows_postgres),
    Input("10⁶ exact duplicates, CSV", exact_duplicates_csv),
    Input("10⁶ exact duplicates, API", exact_duplicates_api),
    Input("10⁶ exact duplicates, PostgreSQL", duplicates_postgres),
    Input("5·10⁶ exact duplicates, CSV", too_many_duplicates_csv),
    Input("10⁶ events with one id, CSV", conflicts_refused),
    Input("10⁶ events with one id, kept", conflicts_csv, ["--conflicts", "keep"]),
    Input("3·10⁶ rejected rows, kept", rejected_rows, ["--rejects", "keep"]),
    Input("an event in each month of 9,999 years", every_month),
    Input("10⁴ files", many_files),
    Input("1 GiB on one line, CSV", line_csv),
    Input("1 GiB in an open quote, CSV", open_quote_csv),
    Input("1 GiB on one line, a hole in CSV", sparse_csv),
    Input("1 GiB as a column's name", header_csv),
    Input("5·10⁸ columns in a header", many_names_csv),
    Input("1 GiB of lines that end with CR", carriage_returns_csv),
    Input("1 GiB in a text, NDJSON", json_text("rows.jsonl.gz", b"", b"\n")),
    Input("1 GiB in a text, JSON array", json_text("rows.json.gz", b"[", b"]")),
    Input("1 GiB in a text, envelope", json_text("rows.json.gz", b'{"events":[', b"]}")),
    Input("1 GiB as a number, NDJSON", json_number),
    Input("1 GiB as a member's name, NDJSON", json_name),
    Input("1 GiB of spaces in a row, NDJSON", json_spaces_in_row),
    Input("many names in one row, NDJSON", many_names_in_row),
    Input("10⁶ names, one in each row, NDJSON", names_of_its_own_in_each_row),
    Input("10,000 names × 3,000 rows, NDJSON", ten_thousand_names),
    Input("10,000 columns × 3,000 rows, CSV", ten_thousand_columns_csv),
    Input("16,000 columns, two months, CSV", sixteen_thousand_columns_csv),
    Input("a field of 60 MB, CSV", sixty_mb_field_csv),
    Input("254 columns of 8 KB, two months, CSV", long_values_csv(254, 8_000, 600, 24)),
    Input("254 columns of 256 bytes, two months, CSV", long_values_csv(254, 256, 20_000, 500)),
    Input("60 columns of 32 KB, two months, CSV", long_values_csv(60, 32_000, 600, 24)),
    Input("a column of 4 MB, two months, CSV", long_values_csv(1, 4_000_000, 300, 6)),
    Input("rows of 4 MiB in two months, NDJSON", long_rows_ndjson),
    Input("rows of 2 Mi quotes, NDJSON", escapes_ndjson),
    Input("bomb of zeros, CSV", only(b"\0", "rows.csv.gz", "binary data")),
    Input("bomb of zeros, NDJSON", only(b"\0", "rows.jsonl.gz", "binary data")),
    Input("bomb of zeros, JSON", only(b"\0", "rows.json.gz", "binary data")),
    Input("bomb of newlines, CSV", only(b"\n", "rows.csv.gz", "no id column")),
    Input("bomb of newlines, NDJSON", only(b"\n", "rows.jsonl.gz")),
    Input("bomb of spaces, CSV", only(b" ", "rows.csv.gz")),
    Input("bomb of spaces, JSON", only(b" ", "rows.json.gz")),
    Input("bomb of [, NDJSON", only(b"[", "rows.jsonl.gz")),
    Input("bomb of [, JSON", only(b"[", "rows.json.gz")),
    Input('bomb of {"a":, JSON', only(b'{"a":', "rows.json.gz")),
    Input("bomb of newlines between rows, CSV", blank_lines_gzipped_csv),
    Input("1 GiB of newlines between rows, CSV", blank_lines_csv, in_small=False),
    Input("1 GiB of newlines after a row, NDJSON", blank_lines_ndjson),
    Input("1 GiB of spaces in an array, JSON", spaces_json),
    Input("bomb of one row, CSV", row_repeated, in_small=False),
    Input("gzip in gzip", nested_gzip),
    Input("10⁶ members of gzip", many_members),
    Input("3·10⁶ empty members of gzip", empty_members),
    Input("arrays 100,000 deep in a row", deep_value(b"[", b"]"), ["--rejects", "keep"]),
    Input("objects 100,000 deep in a row", deep_value(b'{"a":', b"}"), ["--rejects", "keep"]),
    Input("arrays 100,000 deep around rows", deep_around(b"[", b"]")),
    Input("objects 100,000 deep around rows", deep_around(b'{"events":', b"}")),
    Input("arrays 100,000 deep beside rows", deep_member),
    Input("a text of 100,000 brackets", text_that_looks_deep),
    Input("1,600 columns, PostgreSQL", columns_1600),
    Input("256 columns of 8 KB, two months, PostgreSQL", columns_256_of_long_values),
    Input("texts of 3 MB, PostgreSQL", long_text_postgres(3_000_000, Archived(m03=13, texts=13 * 2 + 10 + 9_000_000))),
    Input("texts of 200 MB, PostgreSQL", long_text_postgres(200_000_000, Refused(6, "longer than 4 MiB"))),
    Input("texts of 600 MB, PostgreSQL", long_text_postgres(600_000_000, Refused(6, "longer than 4 MiB")), in_small=False),
]
