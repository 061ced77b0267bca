"""The exports API over loopback HTTP into a committed month, beside a download by curl and then a conversion by a peer."""

import http.server
import json
import os
import shlex
import threading
from functools import partial

import sources
from convert import peer
from turns import Comparison, Goal, Program

PEERS = ["duckdb", "polars"]


class Api(http.server.BaseHTTPRequestHandler):
    """A double that knows one artifact: every job has it, at once."""

    job = {"id": "exp_1", "status": "completed"}
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(201, self.job)

    def do_GET(self):
        if not self.path.endswith("/artifact"):
            return self.reply(200, self.job)
        with open(self.server.artifact, "rb") as artifact:
            self.begin(200, "text/csv", os.fstat(artifact.fileno()).st_size)
            self.connection.sendfile(artifact)

    def reply(self, status, document):
        body = json.dumps(document).encode()
        self.begin(status, "application/json", len(body))
        self.wfile.write(body)

    def begin(self, status, kind, length):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()


def serve(artifact):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads, server.artifact = True, artifact
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def compare(options):
    source = sources.file(options.data, "csv", "month")
    url = serve(source.peers[0])
    source.options = ["--source", url]

    def two_steps(name, folder):
        download = folder / "month.csv"
        source.peers = [download]
        steps = [["curl", "-sSfo", download, f"{url}/v1/exports/exp_1/artifact"], peer(name, source, folder)]
        return ["sh", "-c", " && ".join(shlex.join(map(str, step)) for step in steps)]

    def one_step(program, folder):
        return ["env", "KEEPTRUSTS_API_TOKEN=any", *source.archive(program, folder)]

    programs = {name: Program(partial(one_step, program), source.events) for name, program in options.ours.items()}
    programs |= {f"curl + {name}": Program(partial(two_steps, name), source.events) for name in PEERS}
    peers = [name for name in programs if name not in options.ours]
    goals = [Goal("seconds", 0.8, peers), Goal("peak MiB", 256), Goal("MB written", 1.03, peers[:1])]
    return Comparison(source.title, programs, peers, goals)
