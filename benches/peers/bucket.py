"""What a slice of an archive in a bucket fetches: pull.py's, from SeaweedFS behind a proxy that counts bytes."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pull
from turns import OURS, Comparison, Goal, prepare

BUCKET, KEY, SECRET = "peers", "peers", "only-for-comparisons"


class CountingProxy:
    """Passes connections on to a server, and counts the bytes of its answers, with their headers."""

    def __init__(self, port):
        self.upstream, self.counted, self.lock = port, 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            server = socket.create_connection(("127.0.0.1", self.upstream))
            threading.Thread(target=self.forward, args=(client, server, 0), daemon=True).start()
            threading.Thread(target=self.forward, args=(server, client, 1), daemon=True).start()

    def forward(self, source, target, counts):
        try:
            while content := source.recv(1 << 16):
                with self.lock:
                    self.counted += len(content) * counts
                target.sendall(content)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # The program has closed its end.
            pass

    @contextmanager
    def watch(self):
        watched, before = {}, self.counted
        yield watched
        watched["bytes fetched"] = self.counted - before


@contextmanager
def seaweedfs(scratch):
    """The port of its S3 server, with a bucket."""
    with tempfile.TemporaryDirectory(prefix="peers-", dir=scratch) as folder:
        credentials = [{"accessKey": KEY, "secretKey": SECRET}]
        settings = Path(folder, "s3.json")
        settings.write_text(json.dumps({"identities": [{"name": KEY, "credentials": credentials, "actions": ["Admin"]}]}))
        ports = dict(zip(("s3.port", "master.port", "volume.port", "filer.port"), free_ports()))
        options = [f"-{name}={port}" for name, port in ports.items()]
        options += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-s3", f"-s3.config={settings}", "-s3.port.iceberg=0"]
        options += ["-s3.port.lance=0", "-volume.max=50", "-master.volumeSizeLimitMB=512", "-master.telemetry=false"]
        with open(Path(folder, "log"), "wb") as log:
            weed = subprocess.Popen([Path(sys.executable).parent / "weed", "server", *options], stdout=log, stderr=log)
        try:
            # Its S3 server shows the folders of its filer as buckets, and starts last.
            folder = f"http://127.0.0.1:{ports['filer.port']}/buckets/{BUCKET}/"
            until_started(lambda: urllib.request.urlopen(urllib.request.Request(folder, method="POST")))
            until_started(lambda: socket.create_connection(("127.0.0.1", ports["s3.port"])).close())
            yield ports["s3.port"]
        finally:
            weed.terminate()
            weed.wait()


def free_ports():
    """SeaweedFS also listens 10,000 above each."""
    base = 20000 + os.getpid() % 5000
    return range(base, base + 4)


def until_started(action, patience=60):
    deadline = time.monotonic() + patience
    while True:
        try:
            return action()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def needed(archive):
    """Row groups with events of the days, bytes of these and of the footers, and bytes of the files."""
    manifest = json.loads((archive / "manifests/00000001.json").read_text())
    groups = [group for file in manifest["files"] for group in file["row_groups"]]
    groups = [group for group in groups if group["first"][:10] < pull.DAYS[1] and group["last"][:10] >= pull.DAYS[0]]
    footers = sum(file["footer"]["bytes"] for file in manifest["files"])
    return len(groups), sum(group["bytes"] for group in groups) + footers, sum(file["bytes"] for file in manifest["files"])


def compare(options):
    archive, files = pull.archive(options)
    proxy = CountingProxy(options.servers.enter_context(seaweedfs(options.scratch)))
    place = f"s3://{BUCKET}/archive"
    account = ["env", f"AWS_ENDPOINT=http://127.0.0.1:{proxy.port}", f"AWS_ACCESS_KEY_ID={KEY}", f"AWS_SECRET_ACCESS_KEY={SECRET}"]
    replicate = [*account, options.kt_archive, "replicate", "--archive", archive, "--replica", place, "--quiet"]
    prepare([*replicate, "--state-dir", archive.parent / "state"])
    groups, least, size = needed(archive)
    programs = pull.programs(options, place, files, *account)
    expected = programs[OURS].expected
    title = f"{expected:,} events of a slice: {groups} row groups and the footer are {least:,} of {size:,} bytes"
    # A hundredth for the manifest, and for the heads of the answers.
    goals = [Goal("bytes fetched", least * 101 // 100), Goal("peak MiB", 256)]
    columns = ("seconds", "bytes fetched", "CPU s", "peak MiB")
    return Comparison(title, programs, [OURS], goals, columns, proxy.watch)
