"""Kills backfills at random moments, once or three times in a row, for each source, format and store.

Usage: kills.py PROGRAM --kills N [--seed S] [--only SOURCE/FORMAT/STORE] [--workers N]

Needs the servers and the environment of tests/run. The moments are spread evenly over the time of a whole run. After each
kill, the manifests that are there must be whole; in the end the same command must succeed, and the archive must equal the
source. Its judge is tests/readers/archived.py, never the program itself. Prints a JSON object with the number of kills by
source, format and store, how many months were committed when they struck, the seed, and every failure.
"""

import argparse
import concurrent.futures
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from networks import ALL, BUCKET, FILE, FOLDER, archiving
from worlds import MONTHS, Servers, World

API = ["--source", "{api}"]
SOURCES = {
    "api-csv": API,
    "api-json": [*API, "--api-format", "json"],
    "postgres": ["--source", "{database}", "--connections", "2"],
    "file": FILE,
}
STORES = {"folder": FOLDER, "s3": BUCKET}
# Kills one after the other on one archive, in turn.
IN_A_ROW = [1, 1, 3]


class Combination:
    def __init__(self, source, format, store):
        self.name = f"{source}/{format}/{store}"
        self.formats, self.archive = (format,), STORES[store]
        self.command = archiving(SOURCES[source], self.archive, ALL, self.formats)


COMBINATIONS = [Combination(*names) for names in itertools.product(SOURCES, ("parquet", "csv"), STORES)]


class Suite:
    def __init__(self, program, seed, workers):
        self.program, self.seed = program, seed
        self.pool = concurrent.futures.ThreadPoolExecutor(workers)
        # A job of the double is finished at once, so that most of a run is not waiting.
        self.servers = Servers(exports_at_once=True)
        self.counts, self.committed, self.failures, self.lock = {}, {}, [], threading.Lock()

    def run(self, combinations, kills):
        lengths = list(self.pool.map(self.measure, combinations))
        quotas = [kills // len(combinations) + (number < kills % len(combinations)) for number in range(len(combinations))]
        jobs = list(zip(combinations, lengths, quotas))
        # In turn, so that no combination has the machine for itself.
        for turn in itertools.count():
            left = [job for job in jobs if self.counts.get(job[0].name, 0) < job[2]]
            if not left or self.failures and turn > 20:
                break
            list(self.pool.map(lambda job: self.kill(turn, *job), left))
        self.servers.close()

    def measure(self, combination):
        """The usual time of a whole run, whose archive must equal the source."""
        times = []
        for _ in range(3):
            world = World(self.program, self.servers)
            begun = time.monotonic()
            outcome = world.run(combination.command)
            times.append(time.monotonic() - begun)
            assert outcome.code == 0, outcome.stderr
            world.check(combination.archive, MONTHS, True, combination.formats)
            world.close()
        return sorted(times)[1]

    def kill(self, turn, combination, length, quota):
        chance = random.Random(f"{self.seed} {combination.name} {turn}")
        world = World(self.program, self.servers)
        left = quota - self.counts.get(combination.name, 0)
        moments = [chance.uniform(0, length) for _ in range(min(IN_A_ROW[turn % len(IN_A_ROW)], left))]
        shown = f"--only {combination.name} --seed {self.seed}, turn {turn}, after {[round(moment, 4) for moment in moments]} s"
        try:
            for moment in moments:
                if self.run_and_kill(world, combination, moment):
                    committed = self.look(world, combination)
                    with self.lock:
                        self.counts[combination.name] = self.counts.get(combination.name, 0) + 1
                        self.committed[committed] = self.committed.get(committed, 0) + 1
            outcome = world.run(combination.command)
            assert outcome.code == 0, f"again: exit {outcome.code} {outcome.stderr[-600:]}"
            world.check(combination.archive, MONTHS, True, combination.formats)
        except Exception as error:
            self.failures.append([combination.name, shown, repr(error)[:1200]])
        world.close()

    def run_and_kill(self, world, combination, moment):
        """Whether the program was there to be killed; it ends with success otherwise."""
        for proxy in world.proxies.values():
            proxy.begin(None, None)
        process = world.start(combination.command)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            pass
        process.kill()
        _, stderr = process.communicate()
        for proxy in world.proxies.values():
            proxy.end()
        world.servers.wait_for_sessions(world.postgres.session_ids())
        assert process.returncode in (0, -9), f"exit {process.returncode} {stderr.decode()[-600:]}"
        return process.returncode == -9

    def look(self, world, combination):
        """Asserts that the manifests are whole, and returns their number."""
        world.check(combination.archive, MONTHS, False, combination.formats)
        if combination.archive == BUCKET:
            names = (world.prefix / "archive").names()
        else:
            names = [str(path) for path in Path(world.place(FOLDER)).glob("manifests/*")]
        return sum(name.endswith(".json") and "manifests/" in name for name in names)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", file=sys.stderr)
    suite = Suite(arguments.program, seed, arguments.workers)
    suite.run([one for one in COMBINATIONS if arguments.only in (None, one.name)], arguments.kills)
    report = {"faults": suite.counts, "months committed": suite.committed, "seed": seed, "failures": suite.failures}
    print(json.dumps(report, indent=1))
    sys.exit(bool(suite.failures))


if __name__ == "__main__":
    main()
