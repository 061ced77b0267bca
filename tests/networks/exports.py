"""A small double of the exports API: jobs, their status, and artifacts as CSV or JSON.

A finished job names the size, the SHA-256 and the number of rows of its artifact, and downloads can be resumed.
"""

import csv
import hashlib
import http.server
import io
import json
import re
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "readers"))
from archived import COLUMNS, MONTHS, events  # noqa: E402

TOKEN = "kt_ak_networks"


class Exports:
    """The server. A new job is `queued`, or `completed` with `at_once`."""

    def __init__(self, at_once=False):
        self.at_once, self.jobs, self.lock = at_once, [], threading.Lock()
        exports = self

        class Handler(Request):
            server_exports = exports

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def create(self, window, format):
        with self.lock:
            self.jobs.append((window, format))
            return f"exp_{len(self.jobs):04}"

    def artifact(self, id):
        """The bytes and the number of rows of a job's artifact; `None` without such a job."""
        number = re.fullmatch(r"exp_(\d+)", id)
        if not number or not 0 < int(number[1]) <= len(self.jobs):
            return None
        (start, end), format = self.jobs[int(number[1]) - 1]
        # Times of whole seconds in UTC compare as texts.
        rows = [row for month in MONTHS for row in events(month) if start <= row[1] < end]
        if format == "json":
            objects = [dict(zip(COLUMNS, row)) for row in rows]
            document = {"export_id": id, "time_range": {"from": start, "to": end}, "events": objects, "total": len(rows)}
            return json.dumps(document, ensure_ascii=False).encode(), len(rows)
        text = io.StringIO(newline="")
        csv.writer(text).writerows([COLUMNS, *rows])
        return text.getvalue().encode(), len(rows)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/exports" or not self.is_authorised():
            return self.refuse()
        request = json.loads(body)
        window = (request["filters"]["from"], request["filters"]["to"])
        id = self.server_exports.create(window, request["format"])
        self.reply(201, self.job(id) if self.server_exports.at_once else {"id": id, "status": "queued"})

    def do_GET(self):
        named = re.fullmatch(r"/v1/exports/(\w+)(/artifact)?", self.path)
        if not named or not self.is_authorised() or not self.server_exports.artifact(named[1]):
            return self.refuse()
        if named[2]:
            self.deliver(self.server_exports.artifact(named[1])[0])
        else:
            self.reply(200, self.job(named[1]))

    def job(self, id):
        content, rows = self.server_exports.artifact(id)
        digest = hashlib.sha256(content).hexdigest()
        return {"id": id, "status": "completed", "row_count": rows, "size_bytes": len(content), "sha256": digest}

    def deliver(self, content):
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        begun = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        headers = {"ETag": tag, "Content-Type": "application/octet-stream"}
        if begun and self.headers.get("If-Range", tag) == tag and int(begun[1]) < len(content):
            headers["Content-Range"] = f"bytes {begun[1]}-{len(content) - 1}/{len(content)}"
            return self.send(206, content[int(begun[1]) :], headers)
        self.send(200, content, headers)

    def is_authorised(self):
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def refuse(self):
        self.reply(404 if self.is_authorised() else 401, {"error": "no such export, or no such token"})

    def reply(self, status, document):
        self.send(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
