"""Kills a command before each call that it makes on files, fails each call, and cuts the power.

Usage: crashes.py PROGRAM CALLS [--every K] [--only SCENARIO]

After each fault, the manifests that are there must be whole; then the same command must succeed, and the archive must equal
the source. Its judge is tests/readers/archived.py, never the program itself. Prints a
JSON object with the number of faults by scenario and kind, and every failure with the line to repeat it.
"""

import argparse
import csv
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "readers"))
from archived import MONTHS, check_archive, events, write_csv  # noqa: E402
from flushes import Disk, cuts  # noqa: E402

ERRORS = ["EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "EMFILE"]


class Scenario:
    """A command, what has to be there before, and the months that it leaves."""

    def __init__(self, name, before, command, months, archives=("archive",)):
        self.name, self.before, self.command, self.months, self.archives = name, before, command, months, archives


ARCHIVING = ["--source", "{world}/source.csv", "--format", "parquet,csv"]
FIRST = ["run", "--month", "2025-01", *ARCHIVING]
DAMAGED = "damage {world}/replica"
PULL = ["pull", "--from", "2025-01", "--to", "2025-02", "--format", "csv", "--output", "{world}/slice.csv", "--force"]
SCENARIOS = [
    Scenario("run", [], FIRST, ["2025-01"]),
    Scenario("run-again", [FIRST], ["run", "--month", "2025-02", *ARCHIVING], ["2025-01", "2025-02"]),
    Scenario("backfill", [], ["backfill", "--from", "2025-01", "--to", "2025-03", *ARCHIVING], MONTHS),
    Scenario("replicate", [FIRST], ["replicate", "--replica", "{world}/replica"], ["2025-01"], ("archive", "replica")),
    Scenario(
        "repair",
        [FIRST, ["replicate", "--replica", "{world}/replica"], DAMAGED],
        ["replicate", "--repair", "--replica", "{world}/replica"],
        ["2025-01"],
        ("archive", "replica"),
    ),
    Scenario("pull", [FIRST], PULL, ["2025-01"]),
]


def check_slice(slice, complete):
    """Asserts that a slice is whole, as its manifest describes it, or not there; with `complete`, that it is there."""
    manifest = slice.with_name("slice.csv.manifest.json")
    others = {path.name for path in slice.parent.iterdir()} - {"archive", "state", "source.csv", slice.name, manifest.name}
    assert not (complete and others), f"left behind: {others}"
    if not slice.exists():
        assert not complete, "there is no slice"
        return
    rows = [row[:2] for row in csv.reader(slice.read_text(encoding="utf-8").splitlines())][1:]
    assert sorted(row[0] for row in rows) == sorted(row[0] for row in events("2025-01")), "the slice is not whole"
    if complete or manifest.exists():
        digest = json.loads(manifest.read_text())["output"]["sha256"]
        assert digest == hashlib.sha256(slice.read_bytes()).hexdigest(), "the manifest is of another slice"


class World:
    """A folder with a source, and an archive that a command works on."""

    def __init__(self, programs, scenario, template=None):
        self.programs, self.scenario = programs, scenario
        self.root = Path(tempfile.mkdtemp(prefix="crashes-"))
        self.folder, self.log = self.root / "world", self.root / "log"
        if template:
            # The paths are those of the copy, so that nothing names the template.
            shutil.copytree(template.folder, self.folder, symlinks=True)
            return
        self.folder.mkdir()
        with open(self.folder / "source.csv", "w", newline="", encoding="utf-8") as file:
            write_csv(file)
        for step in scenario.before:
            if step == DAMAGED:
                next(self.folder.glob("replica/events/parquet/*/*")).write_bytes(b"damaged")
            else:
                assert self.run(step).returncode == 0, step

    def run(self, command, action="count", call=0):
        command = [word.format(world=self.folder) for word in command]
        settings = ["--archive", f"{self.folder}/archive", "--state-dir", f"{self.folder}/state", "--quiet"]
        program, calls = self.programs
        line = [calls, self.log, self.folder, action, str(call), program, *command, *settings]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root), "MALLOC_ARENA_MAX": "1"}
        done = subprocess.run(list(map(str, line)), capture_output=True, env=environment, timeout=120, check=False)
        if done.returncode == 125:
            raise RuntimeError(done.stderr.decode())
        return done

    def was_hit(self):
        """Whether the fault took place: a short write needs a write, and threads may make fewer calls than before."""
        if "injected\t" in self.log.read_text():
            return True
        self.close()
        return False

    def losses(self, disk):
        """What a power cut may take back, except from the state folder, whose loss costs time alone."""
        return [change for change in disk.changes() if not f"{change[1]}/".startswith(f"{self.folder}/state/")]

    def close(self):
        shutil.rmtree(self.root)


class Suite:
    def __init__(self, programs, every):
        self.programs, self.every = programs, every
        self.counts, self.failures = {}, []

    def run(self, scenario):
        template = World(self.programs, scenario)
        reference = World(self.programs, scenario, template)
        assert reference.run(scenario.command).returncode == 0, scenario.name
        total = len(reference.log.read_text().splitlines())
        self.check(reference, scenario.name, "none", 0, complete=True)
        reference.close()
        for call in range(1, total + 1):
            if call % self.every != 0:
                continue
            self.kill(scenario, template, call)
            error = ERRORS[call // self.every % len(ERRORS)]
            errors = ERRORS if self.every == 1 else [error]
            for name in errors:
                self.fault(scenario, template, str(getattr(errno, name)), name, call)
            self.fault(scenario, template, f"{getattr(errno, error)}+", f"{error}, lasting", call)
            self.fault(scenario, template, "short", "short write", call)
        template.close()

    def kill(self, scenario, template, call):
        """Kills before the call; then cuts the power in every way."""
        world = World(self.programs, scenario, template)
        disk = Disk.before(str(world.folder))
        world.run(scenario.command, "kill", call)
        if not world.was_hit():
            return
        disk.apply(world.log.read_text())
        disk.adopt(world.folder)
        for cut in cuts(world.losses(disk)):
            copy = World(self.programs, scenario, world)
            moved = [(kind, path.replace(str(world.folder), str(copy.folder))) for kind, path in cut]
            other = Disk(pending={
                path.replace(str(world.folder), str(copy.folder)): old and old.replace(str(world.folder), str(copy.folder))
                for path, old in disk.pending.items()
            })
            other.take_back(moved)
            shown = ", ".join(f"{kind} {os.path.relpath(path, copy.folder)}" for kind, path in moved)
            self.settle(copy, Disk.before(str(copy.folder)), f"power cut without {shown}", call)
        self.settle(world, disk, "kill", call)

    def fault(self, scenario, template, action, name, call):
        world = World(self.programs, scenario, template)
        disk = Disk.before(str(world.folder))
        done = world.run(scenario.command, action, call)
        if not world.was_hit():
            return
        disk.apply(world.log.read_text())
        if done.returncode == 0:
            self.check_flushed(world, disk, name, call)
            self.check(world, scenario.name, name, call, complete=True)
        self.settle(world, disk, name, call)

    def check_flushed(self, world, disk, fault, call):
        """Success promises that a power cut takes nothing of the archive back."""
        lost = world.losses(disk)
        if lost:
            self.failures.append([world.scenario.name, fault, call, f"exit 0, and not flushed: {lost}"])

    def settle(self, world, disk, fault, call):
        """Checks what is there, and that the same command succeeds now."""
        scenario = world.scenario
        key = f"{scenario.name}: {fault.split(' without')[0]}"
        self.counts[key] = self.counts.get(key, 0) + 1
        whole = self.check(world, scenario.name, fault, call, complete=False)
        again = world.run(scenario.command)
        if again.returncode != 0:
            self.failures.append([scenario.name, fault, call, f"again: exit {again.returncode} {again.stderr.decode()[-600:]}"])
        elif whole:
            disk.apply(world.log.read_text())
            self.check_flushed(world, disk, f"{fault}, again", call)
            self.check(world, scenario.name, fault, call, complete=True)
        world.close()

    def check(self, world, name, fault, call, complete):
        try:
            for archive in world.scenario.archives:
                is_repaired = name == "repair" and archive == "replica" and not complete
                if not is_repaired:
                    check_archive(world.folder / archive, world.scenario.months, complete)
            if name == "pull":
                check_slice(world.folder / "slice.csv", complete)
            return True
        except Exception as error:
            self.failures.append([name, fault, call, f"{'after' if complete else 'at once'}: {error!r}"[:900]])
            return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("calls")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    suite = Suite((arguments.program, arguments.calls), arguments.every)
    for scenario in SCENARIOS:
        if arguments.only in (None, scenario.name):
            suite.run(scenario)
    print(json.dumps({"faults": suite.counts, "failures": suite.failures}, indent=1))
    sys.exit(bool(suite.failures))


if __name__ == "__main__":
    main()
