"""Runs commands where the system lacks something: space, descriptors, rights, folders, open streams.

Usage: surroundings.py PROGRAM [--only GROUP] [--every K]

Each command succeeds, or ends with a documented exit code, a message and a hint, and never by a signal or a panic. What was
committed is whole. Then the same command succeeds without the limit, and the archive equals the source, as
tests/readers/verify.py, PyArrow and the csv module find (`check_archive` of tests/readers). Every Kth level of a limit is
tried. Prints a JSON object with the number of commands by group and exit code, what was not possible here, and every failure
with the line to repeat it. Mounts and other users need root.
"""

import argparse
import json
import os
import re
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path.insert(0, str(TESTS / "readers"))
from archived import MONTHS, check_archive, write_csv  # noqa: E402

PANIC = re.compile(r"panicked|RUST_BACKTRACE|stack overflow|internal error|fault of the program")
STRANGER = 54_321
IS_ROOT = os.geteuid() == 0
BACKFILL = ["backfill", "--from", MONTHS[0], "--to", MONTHS[-1], "--source", "{world}/source.csv", "--format", "parquet,csv"]
REPLICATE = ["replicate", "--replica", "{replica}"]
PULL = ["pull", "--from", MONTHS[0], "--to", MONTHS[-1], "--format", "csv", "--output", "{output}/slice.csv", "--force"]
REPORT = ["report", "--output", "{output}/report.html", "--force"]
VERIFY, STATUS = ["verify", "--level", "full"], ["status"]
READING = {"verify": VERIFY, "status": STATUS, "pull": PULL, "report": REPORT}


def documented_codes(program):
    """The exit codes that `--help` lists."""
    text = subprocess.run([program, "--help"], capture_output=True, check=True, text=True).stdout
    codes = re.findall(r"^ +(\d+)[, ]", text.partition("Exit codes:")[2], re.MULTILINE)
    assert len(codes) > 8, codes
    return set(map(int, codes))


class World:
    """A folder with a source, an archive, a state folder, a replica and a folder for outputs, each of which may move."""

    def __init__(self, program):
        self.program = program
        self.root = Path(tempfile.mkdtemp(prefix="limits-"))
        self.root.chmod(0o755)
        self.mounts = []
        self.paths = {name: self.root / name for name in ("archive", "state", "replica", "output", "home", "tmp")}
        for name in ("output", "home", "tmp"):
            self.paths[name].mkdir()
        with open(self.root / "source.csv", "w", newline="", encoding="utf-8") as file:
            write_csv(file)

    def environment(self):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.paths["home"]),
            "TMPDIR": str(self.paths["tmp"]),
            "TZ": "UTC",
        }

    def line(self, command):
        words = [word.format(world=self.root, **self.paths) for word in command]
        state = ["--state-dir", str(self.paths["state"])] if self.paths["state"] else []
        return [str(self.program), *words, "--archive", str(self.paths["archive"]), *state]

    def run(self, command, under=(), environment=None, before=None, **streams):
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        environment = {**self.environment(), **(environment or {})}
        environment = {name: str(value) for name, value in environment.items() if value is not None}
        line = [*map(str, under), *self.line(command)]
        return subprocess.run(
            line, env=environment, preexec_fn=before, timeout=120, check=False, cwd=streams.pop("cwd", self.root), **streams
        )

    def mount(self, name, *options, kind="tmpfs", device="limits"):
        """Mounts a file system at a folder, and moves `name` into it."""
        folder = self.root / f"mount-{len(self.mounts)}"
        folder.mkdir()
        subprocess.run(["mount", "-t", kind, "-o", ",".join(options) or "rw", device, folder], check=True)
        self.mounts.append(folder)
        self.paths[name] = folder / name
        return folder

    def remount(self, folder, *options):
        subprocess.run(["mount", "-o", ",".join(["remount", *options]), folder], check=True)

    def snapshot(self, name="archive"):
        root = self.paths[name]
        return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def close(self):
        for folder in reversed(self.mounts):
            subprocess.run(["umount", "-l", folder], check=True)
        shutil.rmtree(self.root)


class Suite:
    def __init__(self, program, every):
        self.program, self.every = program, every
        self.counts, self.codes, self.messages = {}, {}, {}
        self.failures, self.impossible = [], []
        self.documented = documented_codes(program)
        self.group = None

    @contextmanager
    def world(self, archived=False):
        world = World(self.program)
        try:
            if archived:
                done = world.run(BACKFILL)
                assert done.returncode == 0, done.stderr
            yield world
        finally:
            world.close()

    def levels(self, values):
        return list(values)[:: self.every]

    def fail(self, trial, text):
        self.failures.append([self.group, trial, text[:900]])

    def judge(self, trial, done, codes, words=""):
        """Checks an outcome: one of `codes`, with words in its message, and a hint if it is a failure."""
        code = done.returncode
        self.counts[self.group] = self.counts.get(self.group, 0) + 1
        key = f"{self.group}: {code}"
        self.codes[key] = self.codes.get(key, 0) + 1
        text = ((done.stdout or b"") + (done.stderr or b"")).decode(errors="replace")
        lines = [line for line in text.splitlines() if line.startswith(("error:", "hint:"))]
        self.messages.setdefault(key, " ".join(lines[-2:])[:300])
        if code not in codes or code not in self.documented:
            self.fail(trial, f"exit {code} instead of {sorted(codes)}: {text[-700:]}")
        elif PANIC.search(text):
            self.fail(trial, f"a panic: {text[-700:]}")
        elif code != 0 and done.stderr is not None and ("error: " not in text or "hint: " not in text):
            self.fail(trial, f"exit {code} without error or hint: {text[-700:]}")
        elif code != 0 and done.stderr is not None and words not in text:
            self.fail(trial, f"no word of {words!r}: {text[-700:]}")
        return code

    def check(self, trial, world, complete, name="archive"):
        """Checks the archive at `name` by other readers."""
        try:
            if complete or world.paths[name].exists():
                check_archive(world.paths[name], MONTHS, complete)
            return True
        except Exception as error:
            self.fail(trial, f"{'after' if complete else 'at once'}: {error!r}")
            return False

    def limited(self, trial, world, command, codes, words="", lift=None, again=None, name="archive", **run):
        """Runs a command with a limit, checks what it leaves, then runs it without the limit."""
        code = self.judge(trial, world.run(command, **run), codes, words)
        self.check(trial, world, code == 0, name)
        if lift:
            lift()
        self.expect_success(trial, world, command, name, **(again or {}))
        return code

    def expect_success(self, trial, world, command, name="archive", **run):
        done = world.run(command, **run)
        if done.returncode != 0:
            self.fail(trial, f"without the limit: exit {done.returncode}: {(done.stderr or b'').decode()[-600:]}")
        else:
            self.check(trial, world, True, name)

    def read(self, trial, world, codes, words="", only=READING, **run):
        """Runs the commands that read, which leave the archive as it is."""
        before = world.snapshot()
        for name in only:
            self.judge(f"{trial}, {name}", world.run(READING[name], **run), codes, words)
        if world.snapshot() != before:
            self.fail(trial, "the archive has changed")

    # The groups.

    def file_size(self):
        """`ulimit -f`, in bytes. The system sends SIGXFSZ, which ends a program that does not handle it."""
        for size in self.levels([0, 1, 100, 400, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 1 << 20]):
            before = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            codes = {0} if size == 1 << 20 else {0, 1, 3, 7}
            with self.world() as world:
                self.limited(f"backfill, {size} bytes", world, BACKFILL, codes, "large", before=before)
            with self.world(archived=True) as world:
                self.limited(f"replicate, {size} bytes", world, REPLICATE, codes, "large", before=before, name="replica")
                self.read(f"{size} bytes", world, {0, 1}, "large", before=before)

    def descriptors(self):
        """`ulimit -n`."""
        for count in self.levels(range(8, 65)):
            before = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
            codes = {0} if count >= 60 else {0, 1, 3, 6, 7}
            with self.world() as world:
                code = self.limited(f"backfill, {count} descriptors", world, BACKFILL, codes, "open files", before=before)
                if code == 0:
                    self.least = min(count, getattr(self, "least", count))
            with self.world(archived=True) as world:
                self.limited(f"replicate, {count} descriptors", world, REPLICATE, codes, "open files", before=before, name="replica")
                self.read(f"{count} descriptors", world, codes, "open files", before=before)

    def full_disk(self):
        """Every size of a file system, page by page, up to what a command needs."""
        cases = [
            ("archive", BACKFILL, "archive", {3, 7}),
            ("state", BACKFILL, "archive", {1, 3}),
            ("replica", REPLICATE, "replica", {3, 7}),
        ]
        for place, command, name, codes in cases:
            self.fill(place, command, name, codes, lambda world, pages: world.mount(place, f"size={pages * 4}k"), range(1, 400), "size=64m")
        for name in ("pull", "report"):
            self.fill_output(name)

    def full_inodes(self):
        cases = [
            ("archive", BACKFILL, "archive", {3, 7}),
            ("state", BACKFILL, "archive", {1, 3}),
            ("replica", REPLICATE, "replica", {3, 7}),
        ]
        for place, command, name, codes in cases:
            mount = lambda world, inodes: world.mount(place, "size=64m", f"nr_inodes={inodes}")
            self.fill(place, command, name, codes, mount, range(1, 100), "nr_inodes=10000")

    def fill(self, place, command, name, codes, mount, levels, more):
        """Tries levels from small to large until the command succeeds at three of them."""
        successes = 0
        for level in self.levels(levels):
            trial = f"{command[0]}, {place}, {level}"
            with self.world(archived=command is not BACKFILL) as world:
                folder = mount(world, level)
                lift = lambda: world.remount(folder, more)
                code = self.limited(trial, world, command, {0} | codes, "space", lift, name=name)
            successes += code == 0
            if successes == 3:
                return
        self.fail(f"{command[0]}, {place}", "no level was enough")

    def fill_output(self, name):
        with self.world(archived=True) as world:
            folder = world.mount("output", "size=8k")
            world.paths["output"] = folder
            (folder / "ballast").write_bytes(bytes(8192))
            self.read("output", world, {1}, "space", only=[name])
            left = [path.name for path in folder.iterdir() if path.name != "ballast"]
            if left:
                self.fail(name, f"left behind: {left}")
            (folder / "ballast").unlink()
            world.remount(folder, "size=8m")
            self.read("output", world, {0}, only=[name])

    def full_temporary_folder(self):
        """Commands that read need it if the state folder is of no use."""
        with self.world(archived=True) as world:
            shutil.rmtree(world.paths["state"])
            state = world.mount("state", "size=1m", "nr_inodes=1")
            tmp = world.mount("tmp", "size=1m", "nr_inodes=1")
            world.paths["tmp"] = tmp
            self.read("state and TMPDIR without inodes", world, {0, 1}, only=["verify", "pull", "status"])
            world.remount(tmp, "nr_inodes=1000")
            self.read("state without inodes", world, {0}, only=["verify", "pull", "status"])
            world.remount(state, "nr_inodes=1000")
            self.read("with inodes", world, {0})

    def full_ext4(self):
        """As above, on a file system that allocates space late."""
        for free in self.levels([0, 4, 8, 16, 24, 32, 48, 64, 96]):
            with self.world() as world:
                image = world.root / "image"
                with open(image, "wb") as file:
                    file.truncate(4 << 20)
                made = subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image], check=False, capture_output=True)
                if made.returncode != 0:
                    self.impossible.append("full_ext4: mkfs.ext4 failed")
                    return
                try:
                    folder = world.mount("archive", "loop", kind="ext4", device=str(image))
                except subprocess.CalledProcessError:
                    self.impossible.append("full_ext4: no loop device")
                    return
                ballast = folder / "ballast"
                space = os.statvfs(folder)
                with open(ballast, "wb") as file:
                    # Somewhat less: blocks that name its blocks take space, too.
                    os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - free * 1024)
                codes = {0} if free == 96 else {0, 3, 7}
                self.limited(f"backfill, {free} KiB", world, BACKFILL, codes, "space", ballast.unlink)

    def read_only(self):
        with self.world() as world:
            folder = world.mount("archive")
            world.remount(folder, "ro")
            self.limited("backfill, archive", world, BACKFILL, {7}, "", lambda: world.remount(folder, "rw"))
            world.remount(folder, "ro")
            self.read("archive", world, {0})
            self.judge("backfill again", world.run(BACKFILL), {0})
        with self.world(archived=True) as world:
            folder = world.mount("replica")
            world.remount(folder, "ro")
            self.limited("replicate", world, REPLICATE, {3, 7}, "", lambda: world.remount(folder, "rw"), name="replica")
        with self.world() as world:
            folder = world.mount("state")
            world.remount(folder, "ro")
            self.judge("backfill, state", world.run(BACKFILL), {1}, "--state-dir")
            world.remount(folder, "rw")
            self.expect_success("backfill, state", world, BACKFILL)
            world.remount(folder, "ro")
            self.read("state", world, {0})
            self.judge("pull, state, no TMPDIR", world.run(PULL, environment={"TMPDIR": f"{world.root}/none"}), {0, 1})
        with self.world(archived=True) as world:
            world.paths["output"] = world.mount("output")
            world.remount(world.paths["output"], "ro")
            self.read("output", world, {1}, only=["pull", "report"])

    def home(self):
        with self.world() as world:
            world.paths["state"] = None
            missing = {"HOME": f"{world.root}/none"}
            self.judge("a HOME that does not exist", world.run(BACKFILL, environment=missing), {0, 1})
            self.expect_success("HOME", world, BACKFILL)
            self.read("a HOME that does not exist", world, {0}, environment={"HOME": f"{world.root}/none-either"})
        with self.world() as world:
            world.paths["state"] = None
            folder = world.mount("home")
            world.paths["home"].mkdir()
            world.remount(folder, "ro")
            self.limited("a read-only HOME", world, BACKFILL, {1}, "--state-dir", lambda: world.remount(folder, "rw"))
            world.remount(folder, "ro")
            self.read("a read-only HOME", world, {0})
        with self.world() as world:
            # As a user without an entry in the user database, so that no home is found there.
            world.paths["state"] = None
            os.chown(world.paths["output"], STRANGER, STRANGER)
            archive = world.root / "parent"
            archive.mkdir()
            os.chown(archive, STRANGER, STRANGER)
            world.paths["archive"] = archive / "archive"
            self.judge("no HOME", world.run(BACKFILL, self.stranger(world), {"HOME": None}), {2}, "--state-dir")
            self.check("no HOME", world, False)
            for name, command in READING.items():
                self.judge(f"no HOME, {name}", world.run(command, self.stranger(world), {"HOME": None}), {2, 7})

    def stranger(self, world):
        """A user that owns nothing, with a copy of the program that it may execute."""
        copy = world.root / "program"
        if not copy.exists():
            shutil.copy(self.program, copy)
            copy.chmod(0o755)
        world.program = copy
        return ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]

    def another_user(self):
        with self.world(archived=True) as world:
            under = self.stranger(world)
            for name in ("state", "output", "home", "tmp"):
                world.paths[name] = world.root / f"stranger-{name}"
                world.paths[name].mkdir()
                os.chown(world.paths[name], STRANGER, STRANGER)
            self.read("an archive that only its owner reads", world, {7, 9}, "archive", under=under, only=["verify", "pull", "report", "status"])
            self.judge("backfill", world.run(BACKFILL, under), {7, 9}, "archive")
            for path in [world.paths["archive"], *world.paths["archive"].rglob("*")]:
                path.chmod(0o755 if path.is_dir() else 0o644)
            before = world.snapshot()
            self.read("an archive that all read", world, {0}, under=under)
            april = [word.replace("2025-03", "2025-04") for word in BACKFILL]
            self.judge("another month", world.run([*april, "--allow-empty"], under), {3, 7}, "archive")
            self.judge("repair", world.run(["replicate", "--repair", "--replica", "{archive}"], under), {2, 7})
            if world.snapshot() != before:
                self.fail("another month", "the archive has changed")
            world.paths["state"] = world.root / "state"
            self.judge("backfill, state of another, already archived", world.run(BACKFILL, under), {0, 1}, "--state-dir")
            self.read("state of another", world, {0}, under=under)
            self.judge(
                "state of another, no TMPDIR", world.run(PULL, under, {"TMPDIR": f"{world.root}/none"}), {0, 1}, "--state-dir"
            )
            self.expect_success("its owner", world, BACKFILL)
        with self.world(archived=True) as world:
            under = self.stranger(world)
            os.chown(world.paths["output"], STRANGER, STRANGER)
            world.paths["output"].chmod(0o500)
            for path in [world.paths["archive"], *world.paths["archive"].rglob("*")]:
                path.chmod(0o755 if path.is_dir() else 0o644)
            self.read("an output folder without the right to write", world, {1}, under=under, only=["pull", "report"])
            os.chown(world.paths["tmp"], STRANGER, STRANGER)
            world.paths["archive"] = world.paths["tmp"] / "archive"
            self.judge("backfill, state of another", world.run(BACKFILL, under), {1}, "--state-dir")
            world.paths["state"] = world.paths["tmp"] / "state"
            source = world.root / "source.csv"
            source.chmod(0o600)
            self.judge("a source of another", world.run(BACKFILL, under), {2, 6, 9}, "source.csv")
            source.chmod(0o644)
            self.expect_success("a source of another", world, BACKFILL, under=under)

    def temporary_folder(self):
        for name in ("missing", "a file", "empty", "another file system", "read-only"):
            if name in ("another file system", "read-only") and not IS_ROOT:
                continue
            with self.world() as world:
                tmp = world.root / "other"
                if name == "a file":
                    tmp.write_text("")
                elif name in ("another file system", "read-only"):
                    tmp = world.mount("tmp")
                    world.remount(tmp, "ro" if name == "read-only" else "rw")
                environment = {"TMPDIR": "" if name == "empty" else tmp}
                self.limited(f"TMPDIR {name}", world, BACKFILL, {0}, environment=environment)
                self.limited(f"TMPDIR {name}", world, REPLICATE, {0}, environment=environment, name="replica")
                self.read(f"TMPDIR {name}", world, {0}, environment=environment)

    def umask(self):
        """Events stay with the user and the group; what a command writes for others follows the umask."""
        for mask, output in ((0o077, 0o600), (0o000, 0o666), (0o777, 0o000)):
            before = lambda: os.umask(mask)
            with self.world() as world:
                trial = f"umask {mask:03o}"
                if mask == 0o777 and not IS_ROOT:
                    # Its own folders would be closed to it.
                    continue
                self.limited(f"{trial}, backfill", world, BACKFILL, {0}, before=before)
                self.limited(f"{trial}, replicate", world, REPLICATE, {0}, before=before, name="replica")
                self.read(trial, world, {0}, before=before)
                for name in ("archive", "replica", "state"):
                    for path in [world.paths[name], *world.paths[name].rglob("*")]:
                        mode = stat.S_IMODE(path.stat().st_mode)
                        if mode & 0o007 or name == "state" and path == world.paths[name] and mode & 0o077:
                            self.fail(trial, f"{path.relative_to(world.root)} has mode {mode:03o}")
                mode = stat.S_IMODE((world.paths["output"] / "slice.csv").stat().st_mode)
                if mode != output:
                    self.fail(trial, f"a slice with mode {mode:03o} instead of {output:03o}")

    def streams(self):
        """Streams that are closed, full or without a reader."""
        def close(*numbers):
            return lambda: [os.close(number) for number in numbers]

        with open("/dev/full", "wb") as full:
            cases = {
                "stdin closed": (dict(before=close(0)), {0}),
                "stdout closed": (dict(before=close(1), stdout=None), {0, 1}),
                "stderr closed": (dict(before=close(2), stderr=None), {0}),
                "all closed": (dict(before=close(0, 1, 2), stdout=None, stderr=None), {0, 1}),
                "stdout full": (dict(stdout=full), {1}),
                "stderr full": (dict(stderr=full), {0}),
                "both full": (dict(stdout=full, stderr=full), {1}),  # without a place for a message
            }
            for name, (run, codes) in cases.items():
                for flags in ([], ["--json"], ["-v", "-v"]):
                    trial = f"{name}{' '.join(['', *flags])}"
                    with self.world() as world:
                        silent = not flags or flags[0] == "-v"
                        self.limited(f"{trial}, backfill", world, [*BACKFILL, *flags], codes, "stdout", **run)
                        self.limited(f"{trial}, replicate", world, [*REPLICATE, *flags], codes, "stdout", name="replica", **run)
                        self.read(trial, world, codes, "stdout", **run)
                        self.unchanged_by_streams(trial, world)
            with self.world() as world:
                reader, writer = os.pipe()
                os.close(reader)
                with open(writer, "wb") as pipe:
                    self.limited("a pipe without reader", world, [*BACKFILL, "--json"], {0}, stdout=pipe)
                    self.read("a pipe without reader", world, {0}, stdout=pipe)

    def unchanged_by_streams(self, trial, world):
        """No text of a stream may be in a file of the output folder."""
        for path in world.paths["output"].iterdir():
            if re.search(rb"^(error|hint|warning): ", path.read_bytes(), re.MULTILINE):
                self.fail(trial, f"{path.name} has text of a stream")

    def working_folder(self):
        for name in ("absolute paths", "relative paths"):
            with self.world() as world:
                gone = world.root / "gone"
                gone.mkdir()
                before = lambda: (os.chdir(gone), gone.rmdir())
                if name == "relative paths":
                    world.paths["archive"] = Path("archive")
                    self.judge("relative paths", world.run(BACKFILL, before=before), {1, 2, 7})
                    world.paths["archive"] = world.root / "archive"
                    self.expect_success("relative paths", world, BACKFILL)
                else:
                    self.limited(name, world, BACKFILL, {0}, before=before)
                    for command in READING.values():
                        gone.mkdir()
                        self.judge(f"{name}, {command[0]}", world.run(command, before=before), {0})


GROUPS = {
    "file_size": False,
    "descriptors": False,
    "full_disk": True,
    "full_inodes": True,
    "full_temporary_folder": True,
    "full_ext4": True,
    "read_only": True,
    "home": True,
    "another_user": True,
    "temporary_folder": False,
    "umask": False,
    "streams": False,
    "working_folder": False,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--only", choices=list(GROUPS))
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    suite = Suite(Path(arguments.program).resolve(), arguments.every)
    for group, needs_root in GROUPS.items():
        if arguments.only not in (None, group):
            continue
        if needs_root and not IS_ROOT:
            suite.impossible.append(f"{group}: needs root")
            continue
        suite.group = group
        try:
            getattr(suite, group)()
        except Exception as error:
            suite.fail("the suite itself", repr(error))
    print(json.dumps({
        "trials": suite.counts,
        "codes": suite.codes,
        "messages": suite.messages,
        "least_descriptors": getattr(suite, "least", None),
        "impossible": suite.impossible,
        "failures": suite.failures,
    }, indent=1, ensure_ascii=False))
    sys.exit(bool(suite.failures))


if __name__ == "__main__":
    main()
