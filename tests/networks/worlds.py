"""Sources, archives and the program, each world with its own: what the suites of networks and of kills have in common."""

import base64
import csv
import functools
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path[1:1] = [str(TESTS / "readers"), str(TESTS / "support")]
from archived import COLUMNS, MONTHS, check_archive, events, write_csv  # noqa: E402
from bucket import Prefix  # noqa: E402
from exports import TOKEN, Exports  # noqa: E402
from http_wire import HttpProxy  # noqa: E402
from postgres_wire import PostgresProxy, Server  # noqa: E402

# The exit codes of README.md that a fault may cause; a panic, and a usage error, are none of them.
FAILURES = {1, 3, 4, 5, 6, 7, 9, 75}
# Longer than a run with lasting faults takes. A manifest that a store neither accepts nor refuses is put six times.
LIMIT = 400


def address(variable):
    url = urllib.parse.urlsplit(os.environ[variable])
    return url.hostname, url.port


@functools.cache
def large_events(month):
    """Rows of a month, too large for one request to a bucket."""
    random_bytes = random.Random(month).randbytes
    return [
        [f"{month}-{number:03}", f"{month}-{1 + number % 28:02}T00:00:00Z", base64.b64encode(random_bytes(12288)).decode()]
        for number in range(820)
    ]


class Servers:
    """The servers of a suite, with a database that holds the source's table."""

    def __init__(self, exports_at_once=False):
        account = [os.environ[f"KT_TEST_S3_{name}"] for name in ("ENDPOINT", "KEY", "SECRET")]
        self.root = Prefix(account, os.environ["KT_TEST_S3_BUCKET"], "networks")
        self.exports = Exports(exports_at_once)
        self.database = f"networks_{uuid.uuid4().hex}"
        self.admin, self.lock = Server(address("KT_TEST_POSTGRES"), "postgres"), threading.Lock()
        self.sql(f"create database {self.database}")
        values = ",".join(f"('{row[0]}', '{row[1]}', '{row[2]}')" for month in MONTHS for row in events(month))
        source = Server(address("KT_TEST_POSTGRES"), self.database)
        source.sql("create table events (id text primary key, created_at timestamptz, note text)")
        source.sql(f"insert into events values {values}")
        source.close()

    def sql(self, text):
        with self.lock:
            return self.admin.sql(text)

    def terminate(self, session):
        self.sql(f"select pg_terminate_backend({session}, 10000)")

    def wait_for_sessions(self, sessions):
        """Waits until the server has ended these sessions of killed programs."""
        deadline = time.monotonic() + 30
        listed = ",".join(map(str, sessions))
        while sessions and self.sql(f"select 1 from pg_stat_activity where pid in ({listed})"):
            assert time.monotonic() < deadline, "a session does not end"
            time.sleep(0.02)

    def table(self, name):
        """The rows of a table of the database, as psql prints them; `None` without such a table."""
        url = f"{os.environ['KT_TEST_POSTGRES']}/{self.database}"
        time = """to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
        statement = f"select id, {time}, note from {name} order by id"
        line = [f"{os.environ['KT_TEST_POSTGRES_BIN']}/psql", "-X", "--csv", "-t", url, "-c", statement]
        done = subprocess.run(line, capture_output=True, check=False)
        if b"does not exist" in done.stderr:
            return None
        assert done.returncode == 0, done.stderr
        return list(csv.reader(io.StringIO(done.stdout.decode(), newline="")))

    def close(self):
        self.exports.close()
        self.sql(f"drop database {self.database} with (force)")
        self.admin.close()


class World:
    """A host with its own folder, prefix and table, and proxies between it and all servers."""

    def __init__(self, program, servers, template=None, rows=events):
        self.program, self.servers, self.rows = program, servers, rows
        self.name = uuid.uuid4().hex
        self.root = Path(tempfile.mkdtemp(prefix="networks-"))
        self.folder = self.root / "world"
        self.prefix = servers.root / self.name
        self.table = f"restored_{self.name}"
        if template:
            shutil.copytree(template.folder, self.folder)
            for name, content in template.objects.items():
                self.prefix.put(name, content)
        else:
            self.folder.mkdir()
            with open(self.folder / "source.csv", "w", newline="", encoding="utf-8") as file:
                if rows is events:
                    write_csv(file)
                else:
                    csv.writer(file).writerows([COLUMNS, *rows(MONTHS[0])])
        store = address("KT_TEST_S3_ENDPOINT")
        self.s3 = HttpProxy(store, template and renamed(template.s3.memory, template.name, self.name))
        self.api = HttpProxy(("127.0.0.1", servers.exports.port))
        self.postgres = PostgresProxy(address("KT_TEST_POSTGRES"), servers.terminate)
        self.proxies = {"s3": self.s3, "api": self.api, "postgres": self.postgres}

    def keep(self):
        """Keeps the objects, so that the world can be a template."""
        self.objects = self.prefix.objects()

    def place(self, word):
        """A word of a command, with what it names in this world."""
        database = f"postgres://postgres@127.0.0.1:{self.postgres.port}/{self.servers.database}"
        api = f"http://127.0.0.1:{self.api.port}"
        return word.format(world=self.folder, bucket=self.prefix.url, api=api, database=database, table=self.table)

    def environment(self):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "MALLOC_ARENA_MAX": "1",
            "AWS_ENDPOINT": f"http://127.0.0.1:{self.s3.port}",
            "AWS_ACCESS_KEY_ID": os.environ["KT_TEST_S3_KEY"],
            "AWS_SECRET_ACCESS_KEY": os.environ["KT_TEST_S3_SECRET"],
            "AWS_REGION": "us-east-1",
            "AWS_TIMEOUT": "1s",
            "KEEPTRUSTS_API_TOKEN": TOKEN,
            "PGCONNECT_TIMEOUT": "3",
        }

    def start(self, command):
        line = [self.program, *map(self.place, command), "--state-dir", str(self.folder / "state"), "--quiet"]
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment())

    def run(self, command, wire=None, fault=None, limit=LIMIT, may_hang=False):
        """Runs a command to its end, with a fault on a wire. Asks it to stop after `limit` seconds."""
        ready = threading.Event()

        def kill():
            ready.wait()
            process.kill()

        for name, proxy in self.proxies.items():
            proxy.begin(fault if name == wire else None, kill)
        process = self.start(command)
        ready.set()
        stopped = False
        try:
            _, stderr = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            stopped = True
            process.terminate()
            try:
                _, stderr = process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                _, stderr = process.communicate()
        for proxy in self.proxies.values():
            proxy.end()
        self.servers.wait_for_sessions(self.postgres.session_ids())
        self.postgres.sessions = []
        return Outcome(process.returncode, stderr.decode(), stopped, may_hang)

    def check(self, archive, months, complete, formats, pending=False):
        """Asserts what is in an archive: a folder, or a folder of the prefix if it is in the bucket."""
        if archive.startswith("{bucket}"):
            with tempfile.TemporaryDirectory(prefix="networks-", dir=self.root) as folder:
                root = Path(folder) / archive.removeprefix("{bucket}/")
                root.mkdir()
                (self.prefix / root.name).download(root)
                check_archive(root, months, complete, formats, pending, self.rows)
        else:
            check_archive(Path(self.place(archive)), months, complete, formats, pending, self.rows)

    def close(self):
        for proxy in self.proxies.values():
            proxy.close()
        self.prefix.empty()
        shutil.rmtree(self.root)


class Outcome:
    """How a program ended: its exit code, what it printed on stderr, and whether it had to be asked."""

    def __init__(self, code, stderr, stopped, may_hang):
        self.code, self.stderr, self.stopped, self.may_hang = code, stderr, stopped, may_hang

    def complaint(self):
        """What is wrong with it; `None` if the program may end so."""
        if self.stopped:
            is_fine = self.may_hang and self.code == 143
            return None if is_fine else f"hangs; exit {self.code} once it was asked to stop: {self.stderr[-600:]}"
        if self.code in (0, -9):
            return None
        if self.code not in FAILURES or "panicked" in self.stderr:
            return f"exit {self.code}: {self.stderr[-600:]}"
        if "hint: " not in self.stderr:
            return f"exit {self.code} without a hint: {self.stderr[-600:]}"
        return None


def renamed(memory, old, new):
    """The answers that a proxy remembers, for another prefix of the same length."""
    return {
        (method, target.replace(old, new), *rest): [answer.replace(old, new) for answer in answers]
        for (method, target, *rest), answers in memory.items()
    }
