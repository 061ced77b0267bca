"""Does harm to each request and each SQL statement of a command, on its way or to its answer.

Usage: networks.py PROGRAM [--every K] [--only SCENARIO] [--case KIND@NUMBER] [--workers N]

Needs the servers and the environment of tests/run. After each fault, the manifests that are there must be whole; then the
same command must succeed, and the archive must equal the source. Exit code 0 under a fault requires the complete archive.
A restored table must equal the archive, or not exist. Its judges are tests/readers/archived.py and psql, never the program
itself. Prints a JSON object with the number of faults by scenario and kind, the exit codes under each, and every failure with
the case to repeat it.
"""

import argparse
import concurrent.futures
import json
import shutil
import sys
import threading
import time

from http_wire import HTTP_FAULTS
from postgres_wire import POSTGRES_FAULTS
from proxy import Fault
from worlds import LIMIT, MONTHS, Servers, World, events, large_events

FILE = ["--source", "{world}/source.csv"]
CSV = ["--source", "{api}", "--job-timeout", "4s"]
JSON = [*CSV, "--api-format", "json"]
DATABASE = ["--source", "{database}", "--connections", "2", "--statement-timeout", "3s"]
BUCKET, FOLDER, REPLICA = "{bucket}/archive", "{world}/archive", "{bucket}/replica"
BOTH, PARQUET = ("parquet", "csv"), ("parquet",)
DAMAGE, UNCOMMIT = "damage the replica", "remove the manifests"


def archiving(source, archive, command, formats=BOTH):
    return [*command, *source, "--archive", archive, "--format", ",".join(formats)]


def month(number):
    return ["run", "--month", MONTHS[number]]


ALL = ["backfill", "--from", MONTHS[0], "--to", MONTHS[2]]
FIRST = archiving(FILE, BUCKET, month(0))
# Waits for an answer for a minute before it asks again.
PATIENT = archiving(["--source", "{api}"], FOLDER, month(0))
COPY = ["replicate", "--archive", BUCKET, "--replica", REPLICA]
RESTORE = ["restore", "--archive", BUCKET, "--month", MONTHS[0], "--into", "{database}", "--table", "{table}"]


class Scenario:
    """A command, the wire that is harmed, what has to be there before, and the months that it leaves."""

    def __init__(self, name, wire, command, months, before=(), archives=(BUCKET,), rows=events, formats=BOTH, kinds=None):
        self.name, self.wire, self.command, self.months, self.before = name, wire, command, months, before
        self.archives, self.rows, self.formats, self.kinds = archives, rows, formats, kinds
        self.restores = command is RESTORE


SCENARIOS = [
    Scenario("s3-run", "s3", FIRST, MONTHS[:1]),
    Scenario("s3-run-again", "s3", archiving(FILE, BUCKET, month(1)), MONTHS[:2], [FIRST]),
    Scenario("s3-run-resumed", "s3", FIRST, MONTHS[:1], [FIRST, UNCOMMIT]),
    Scenario("s3-backfill", "s3", archiving(FILE, BUCKET, ALL), MONTHS),
    Scenario(
        "s3-large", "s3", archiving(FILE, BUCKET, month(0), PARQUET), MONTHS[:1], rows=large_events, formats=PARQUET
    ),
    Scenario("s3-replicate", "s3", COPY, MONTHS[:1], [FIRST], (BUCKET, REPLICA)),
    Scenario("s3-repair", "s3", [*COPY, "--repair"], MONTHS[:1], [FIRST, COPY, DAMAGE], (BUCKET, REPLICA)),
    Scenario("api-csv", "api", archiving(CSV, FOLDER, month(0)), MONTHS[:1], archives=(FOLDER,)),
    Scenario("api-json", "api", archiving(JSON, FOLDER, month(0)), MONTHS[:1], archives=(FOLDER,)),
    Scenario("api-backfill", "api", archiving(CSV, FOLDER, ALL), MONTHS, archives=(FOLDER,)),
    Scenario("api-patient", "api", PATIENT, MONTHS[:1], archives=(FOLDER,), kinds=("stall", "stall in the body")),
    Scenario("postgres-run", "postgres", archiving(DATABASE, FOLDER, month(0)), MONTHS[:1], archives=(FOLDER,)),
    Scenario("postgres-backfill", "postgres", archiving(DATABASE, FOLDER, ALL), MONTHS, archives=(FOLDER,)),
    Scenario("restore-from-s3", "s3", RESTORE, MONTHS[:1], [FIRST]),
    Scenario("restore-to-postgres", "postgres", RESTORE, MONTHS[:1], [FIRST]),
]

# Kinds whose harm lasts until the end of the run, for every so-many-th message: the program retries for up to a minute.
LASTING = {"s3": {"503": 3, "reset before the request": 5, "403": 3, "stall": 7, "stale": 1}}
LASTING["api"] = {"503": 1, "reset before the request": 1, "403": 1, "stall": 1, "stale": 1}
LASTING["postgres"] = {"reset before the statement": 5}
# Rows on their way to the server are messages of which only these kinds are no repetitions of the others.
OF_ROWS = {
    "reset before the statement",
    "error",
    "session terminated",
    "sent rows cut",
    "sent row changed",
    "killed before",
}

OF_BODIES = {
    "cut after the first byte",
    "cut in the middle",
    "reset in the middle",
    "last byte missing",
    "stall in the body",
}

# Seconds after which the program is asked to stop. Like libpq, it waits for a server that is reachable but silent.
STALLED = 6


def prepare(world, step):
    if step is DAMAGE:
        replica = world.prefix / "replica"
        replica.put(next(name for name in replica.names() if name.endswith(".parquet")), b"damaged")
    elif step is UNCOMMIT:
        # As a run leaves it that is killed before its commit.
        (world.prefix / "archive/manifests").empty()
        shutil.rmtree(world.folder / "state")
    else:
        outcome = world.run(step)
        assert outcome.code == 0, outcome.stderr


class Suite:
    def __init__(self, program, every, workers):
        self.program, self.every, self.workers = program, every, workers
        self.counts, self.exits, self.failures, self.lock = {}, {}, [], threading.Lock()
        self.servers = Servers()

    def run(self, scenario, case=None):
        template = World(self.program, self.servers, rows=scenario.rows)
        for step in scenario.before:
            prepare(template, step)
        template.keep()
        reference = World(self.program, self.servers, template, scenario.rows)
        outcome = reference.run(scenario.command)
        assert outcome.code == 0, outcome.stderr
        messages = list(reference.proxies[scenario.wire].messages)
        self.check(reference, scenario, "none", complete=True)
        reference.close()
        cases = [case] if case else list(self.cases(scenario, messages))[self.every // 2 :: self.every]
        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            for done in [pool.submit(self.fault, scenario, template, *one) for one in cases]:
                done.result()
        template.close()

    def cases(self, scenario, messages):
        """The kinds of faults, with the number of their message and whether they last."""
        for number, message in enumerate(messages, 1):
            for kind in scenario.kinds or (POSTGRES_FAULTS if scenario.wire == "postgres" else HTTP_FAULTS):
                if may_meet(scenario, kind, message):
                    yield kind, number, False
            for kind, every in () if scenario.kinds else LASTING[scenario.wire].items():
                # A bucket that never answers takes minutes: too long for a sample.
                takes_minutes = scenario.wire == "s3" and kind == "stall"
                if number % every == 0 and not (takes_minutes and self.every > 1):
                    yield kind, number, True

    def fault(self, scenario, template, kind, number, lasting):
        name = f"{kind}{', lasting' if lasting else ''}"
        case = f"{name}@{number}"
        world = World(self.program, self.servers, template, scenario.rows)
        try:
            fault = Fault(kind, number, lasting)
            may_hang = "stall" in kind and scenario.wire == "postgres"
            outcome = world.run(scenario.command, scenario.wire, fault, STALLED if may_hang else LIMIT, may_hang)
            # A byte is not changed in an answer without a body, and threads may send less than before.
            if fault.hit:
                self.settle(scenario, world, fault, name, outcome)
        except Exception as error:
            self.failures.append([scenario.name, case, f"the suite itself: {error!r}"])
        finally:
            world.close()

    def settle(self, scenario, world, fault, name, outcome):
        """Checks what is there, and that the same command succeeds now."""
        case = f"{name}@{fault.at} ({fault.hit})"
        with self.lock:
            key = f"{scenario.name}: {name}"
            self.counts[key] = self.counts.get(key, 0) + 1
            codes = self.exits.setdefault(f"{scenario.wire}: {name}", {})
            code = "killed" if outcome.code == -9 else str(outcome.code)
            codes[code] = codes.get(code, 0) + 1
        if outcome.complaint():
            self.failures.append([scenario.name, case, outcome.complaint()])
        elif fault.kind == "slow" and outcome.code != 0:
            self.failures.append([scenario.name, case, f"exit {outcome.code}: {outcome.stderr[-600:]}"])
        if scenario.restores:
            self.settle_restore(scenario, world, fault, case, outcome)
            return
        if outcome.code == 0:
            self.check(world, scenario, case, complete=True, pending=True)
        elif not self.check(world, scenario, case, complete=False):
            return
        again = world.run(scenario.command)
        if again.code != 0:
            shown = f"exit {again.code} after {outcome.code}: {again.stderr[-600:]} first: {outcome.stderr[-300:]}"
            self.failures.append([scenario.name, case, f"again: {shown}"])
        else:
            self.check(world, scenario, case, complete=True)

    def settle_restore(self, scenario, world, fault, case, outcome):
        """The table is there if and only if the restore succeeded, unless the answer to its commit was lost."""
        found, expected = self.servers.table(world.table), events(MONTHS[0])
        may_be_there = outcome.code == 0 or fault.hit == "query commit"
        if found != expected if outcome.code == 0 else found is not None and not (may_be_there and found == expected):
            self.failures.append([scenario.name, case, f"exit {outcome.code}, and the table has {found}"])
            return
        again = world.run(scenario.command)
        # A table that has rows of the month is refused.
        if again.code != (0 if found is None else 2):
            self.failures.append([scenario.name, case, f"again: exit {again.code} {again.stderr[-600:]}"])
        found = self.servers.table(world.table)
        if found != expected:
            self.failures.append([scenario.name, case, f"after the second run, the table has {found}"])

    def check(self, world, scenario, case, complete, pending=False):
        try:
            if scenario.restores:
                assert self.servers.table(world.table) == events(MONTHS[0]), "the table differs"
            for archive in scenario.archives:
                is_repaired = archive == REPLICA and "--repair" in scenario.command and not complete
                if not is_repaired:
                    world.check(archive, scenario.months, complete, scenario.formats, pending)
            return True
        except Exception as error:
            moment = "after the second run" if complete and not pending else "at once"
            self.failures.append([scenario.name, case, f"{moment}: {error!r}"[:1200]])
            return False


def may_meet(scenario, kind, message):
    """Whether a message of the reference run can meet this kind of fault, so that few cases are tried in vain."""
    if scenario.wire == "postgres":
        if message == "rows":
            return kind in OF_ROWS
        if kind == "row changed" and not scenario.restores:
            # Nothing vouches for what a database sends.
            return False
        return not kind.startswith("sent ")
    if kind in OF_BODIES:
        return message.method != "HEAD" and len(message.answer.body) >= 3
    if kind.startswith("byte changed"):
        return 200 <= message.answer.status < 300 and message.answer.body
    if kind == "stale":
        return message.method in ("GET", "HEAD")
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--case")
    parser.add_argument("--workers", type=int, default=6)
    arguments = parser.parse_args()
    case = None
    if arguments.case:
        kind, number = arguments.case.split("@")
        case = (kind.removesuffix(", lasting"), int(number), kind.endswith(", lasting"))
    suite = Suite(arguments.program, arguments.every, arguments.workers)
    for scenario in SCENARIOS:
        if arguments.only in (None, scenario.name):
            begun = time.monotonic()
            suite.run(scenario, case)
            print(f"{scenario.name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    suite.servers.close()
    print(json.dumps({"faults": suite.counts, "exits": suite.exits, "failures": suite.failures}, indent=1))
    sys.exit(bool(suite.failures))


if __name__ == "__main__":
    main()
