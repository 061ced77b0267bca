"""Archives inputs that ask for more memory than a run may take, and measures how much it takes.

Usage: memory.py PROGRAM [--only INPUT] [--scale small|whole] [--limit MIB]

Each input is archived, or refused with a message and a hint before anything is committed; what was archived is verified,
pulled and restored. Each command has 256 MiB at most, and never ends with a panic or a signal. DuckDB and the csv module
count what was archived (`count.py`). Prints a JSON object with the number of commands and the peaks of each input, and every
failure; and each input on stderr when it is done.

A peak is the largest resident set of the process (`ru_maxrss` of wait4, which includes children that it waited for; that it
has none is checked while it runs). This process must stay small: Linux counts it towards a child until the child's exec.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from inputs import INPUTS, Place, Refused

SECONDS = 900
PANIC = re.compile(r"panicked|RUST_BACKTRACE|stack overflow|memory allocation of|internal error")


class Command:
    """A command that has ended."""

    def __init__(self, line, environment, folder):
        with open(f"{folder}/stdout", "wb") as stdout, open(f"{folder}/stderr", "wb") as stderr:
            begun = time.monotonic()
            process = subprocess.Popen(
                line, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment, cwd=folder
            )
        self.children = set()
        self.is_late = False
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            self.children |= children(process.pid)
            if time.monotonic() - begun > SECONDS and not self.is_late:
                self.is_late = True
                process.kill()
            time.sleep(0.01)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.code, self.seconds = process.returncode, time.monotonic() - begun
        self.peak = usage.ru_maxrss / 1024
        self.output, self.errors = (Path(folder, name).read_text(errors="replace") for name in ("stdout", "stderr"))

    def document(self):
        return json.loads(self.output)


def children(pid):
    found = set()
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found.update((task / "children").read_text().split())
    except OSError:
        pass
    return found


class Trial:
    """An input, and the commands that it goes through."""

    def __init__(self, program, input, scale, limit):
        self.program, self.input, self.limit = program, input, limit
        self.root = tempfile.mkdtemp(prefix="limits-")
        self.place = Place(self.root, scale)
        self.peaks, self.failures, self.seconds = {}, [], 0
        self.message, self.commands = None, 0

    def run(self):
        try:
            source, expected = self.input.make(self.place)
            months = [] if isinstance(expected, Refused) else sorted(expected.months)
            window = ["--from", "2025-03", "--to", months[-1] if months else "2025-03"]
            options = ["--source", source, "--format", "parquet,csv", *self.input.options]
            done = self.command("backfill", ["backfill", *window, *options])
            if isinstance(expected, Refused):
                self.check_refusal(done, expected)
            else:
                self.check_archive(done, expected)
        except Exception as error:
            self.fail(repr(error))
        finally:
            self.place.close()
            shutil.rmtree(self.root)

    def fail(self, text):
        self.failures.append([self.input.name, text[:900]])

    def command(self, name, arguments):
        environment = {"PATH": os.environ["PATH"], "HOME": self.root, "KEEPTRUSTS_API_TOKEN": "kt_ak_limits"}
        settings = ["--archive", f"{self.root}/archive", "--state-dir", f"{self.root}/state", "--json"]
        done = Command([self.program, *arguments, *settings], environment, self.root)
        self.peaks[name] = round(max(done.peak, self.peaks.get(name, 0)))
        self.seconds += done.seconds
        self.commands += 1
        if done.peak > self.limit:
            self.fail(f"{name} takes {done.peak:.0f} MiB")
        if done.children:
            self.fail(f"{name} has children, which the peak may not include")
        if done.is_late:
            self.fail(f"{name} runs longer than {SECONDS} s")
        if done.code < 0 or PANIC.search(done.errors + done.output):
            self.fail(f"{name} ends with {done.code}: {done.errors[-600:]}")
        return done

    def expect_success(self, name, arguments):
        done = self.command(name, arguments)
        if done.code != 0:
            self.fail(f"{name} ends with {done.code}: {done.output[-400:]} {done.errors[-400:]}")

    def check_refusal(self, done, expected):
        if done.code != expected.code:
            self.fail(f"exit {done.code} instead of {expected.code}: {done.output[-400:]} {done.errors[-400:]}")
            return
        error = done.document()["error"]
        self.message = f"{error['message']}; {error['hint']}"
        if expected.words not in self.message or not error["hint"]:
            self.fail(f"the message has no hint or not {expected.words!r}: {error}")
        if len(self.message) > 1_000:
            self.fail(f"a message of {len(self.message)} characters")
        left = [path for path in Path(self.root).glob("archive/**/*") if path.is_file() and path.name != "archive.json"]
        if left:
            self.fail(f"refused, and stored: {left}")

    def check_archive(self, done, expected):
        if done.code != expected.code:
            self.fail(f"exit {done.code} instead of {expected.code}: {done.output[-600:]} {done.errors[-300:]}")
            return
        judge = Path(__file__).parent / "count.py"
        counted = subprocess.run(
            [sys.executable, judge, f"{self.root}/archive"], capture_output=True, check=True, timeout=SECONDS
        )
        found = json.loads(counted.stdout)
        for month, formats in found.items():
            count = expected.months.get(month, 0)
            ids = expected.ids if expected.ids and count else count
            for format, (rows, distinct, texts) in formats.items():
                if (rows, distinct) != (count, ids):
                    self.fail(f"{month} has {rows} events with {distinct} ids as {format} instead of {count} with {ids}")
            if formats["csv"] != formats["parquet"]:
                self.fail(f"{month} differs: {formats}")
        if set(found) != set(expected.months):
            self.fail(f"months {sorted(found)} instead of {sorted(expected.months)}")
        texts = sum(formats["parquet"][2] for formats in found.values())
        if expected.texts is not None and texts != expected.texts:
            self.fail(f"{texts} bytes of texts instead of {expected.texts}")
        self.read(sorted(found))

    def read(self, months):
        """The other commands, on the archive that the input made."""
        self.expect_success("verify", ["verify", "--level", "full"])
        for format in ("parquet", "csv", "jsonl"):
            window = ["--from", "2025-03", "--to", "2025-05", "--output", f"{self.root}/slice", "--force"]
            self.expect_success("pull", ["pull", *window, "--format", format, "--allow-gaps"])
        self.place.sql("create schema if not exists copies")
        for month in months:
            restore = ["restore", "--month", month, "--into", self.place.url(), "--table", "copies.events", "--drill"]
            self.expect_success("restore", restore)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--only")
    parser.add_argument("--scale", choices=["small", "whole"], default="whole")
    parser.add_argument("--limit", type=int, default=256)
    arguments = parser.parse_args()
    report, failures = {}, []
    for input in INPUTS:
        is_wanted = input.in_small or arguments.scale == "whole"
        if arguments.only not in (None, input.name) or not is_wanted:
            continue
        trial = Trial(arguments.program, input, arguments.scale, arguments.limit)
        trial.run()
        report[input.name] = {
            "commands": trial.commands,
            "peaks": trial.peaks,
            "seconds": round(trial.seconds, 1),
            "refused": trial.message,
        }
        failures += trial.failures
        print(input.name, trial.peaks, trial.failures, file=sys.stderr, flush=True)
    print(json.dumps({"inputs": report, "failures": failures}, indent=1, ensure_ascii=False))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
