"""Commands on a bucket with Object Lock and default retention, and what its old versions and delete markers show.

Usage: locked.py PROGRAM [--kills N]

The bucket is KT_TEST_S3_LOCKED_BUCKET; a unique prefix holds each archive. Archives are downloaded and compared with their
source by the readers of others (`check_archive`). Prints a JSON object with the checks and every failure.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import uuid
import xml.etree.ElementTree as ElementTree
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path.insert(0, str(TESTS / "support"))
sys.path.insert(0, str(Path(__file__).parent))
from bucket import NAMESPACE, Prefix  # noqa: E402
from make_buckets import send  # noqa: E402
from surroundings import BACKFILL, MONTHS, READING, World, check_archive  # noqa: E402

ACCOUNT = [os.environ.get(f"KT_TEST_S3_{name}", "") for name in ("ENDPOINT", "KEY", "SECRET")]


class Locked(Prefix):
    """A prefix in the bucket with Object Lock, of its own for each archive."""

    def __init__(self, name):
        super().__init__(ACCOUNT, os.environ["KT_TEST_S3_LOCKED_BUCKET"], f"{name}-{uuid.uuid4().hex}")

    def delete(self, object, version=None):
        query = [("versionId", version)] if version else []
        send("DELETE", ACCOUNT, urllib.parse.quote(f"/{self.bucket}/{self.prefix}/{object}", safe="/~"), query)

    def versions(self):
        """(object, version, kind, whether it is the latest) of all versions and delete markers."""
        text = send("GET", ACCOUNT, f"/{self.bucket}", [("versions", ""), ("prefix", f"{self.prefix}/")])
        root = ElementTree.fromstring(text)
        assert root.findtext(f"{NAMESPACE}IsTruncated", "false") == "false"
        found = []
        for kind in ("Version", "DeleteMarker"):
            for entry in root.iter(f"{NAMESPACE}{kind}"):
                field = lambda name: entry.findtext(f"{NAMESPACE}{name}")
                key = field("Key").removeprefix(f"{self.prefix}/")
                found.append((key, field("VersionId"), kind, field("IsLatest") == "true"))
        return found


class Suite:
    def __init__(self, program):
        self.program = program
        self.checks, self.failures, self.notes = 0, [], []

    def expect(self, holds, text):
        self.checks += 1
        if not holds:
            self.failures.append(text)
        return holds

    def world(self, place):
        world = World(self.program)
        world.paths["archive"] = place.url
        world.environment_of_cloud = {
            "AWS_ENDPOINT": ACCOUNT[0],
            "AWS_ACCESS_KEY_ID": ACCOUNT[1],
            "AWS_SECRET_ACCESS_KEY": ACCOUNT[2],
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
        return world

    def run(self, world, command, code=0):
        done = world.run([*command, "--json"], environment=world.environment_of_cloud)
        self.expect(done.returncode == code, f"{command[:4]}: exit {done.returncode} instead of {code}: {done.stdout} {done.stderr}")
        try:
            return json.loads(done.stdout)
        except ValueError:
            self.failures.append(f"{command[:4]}: no document: {done.stdout}")
            return {"months": [], "findings": [], "rows": None}

    def check_versions(self, place, name, rewritten=()):
        """Each object has one version, and nothing was deleted."""
        versions = place.versions()
        markers = [key for key, _, kind, _ in versions if kind == "DeleteMarker"]
        self.expect(not markers, f"{name}: delete markers of {markers}")
        keys = [key for key, _, kind, _ in versions if kind == "Version"]
        twice = {key for key in keys if keys.count(key) > 1}
        self.expect(twice == set(rewritten), f"{name}: several versions of {sorted(twice)}")

    def check_archive(self, place, world, months, name):
        folder = world.root / f"download-{uuid.uuid4().hex}"
        place.download(folder)
        try:
            check_archive(folder, months, True)
            self.checks += 1
        except Exception as error:
            self.failures.append(f"{name}: {error!r}")

    def commands(self):
        place = Locked("commands")
        world = self.world(place)
        month = lambda month: ["run", "--month", month, *BACKFILL[5:]]
        self.run(world, month(MONTHS[0]))
        self.check_archive(place, world, MONTHS[:1], "run")
        before = place.versions()
        again = self.run(world, month(MONTHS[0]))
        self.expect([entry["state"] for entry in again["months"]] == ["already"], f"again: {again}")
        self.expect(place.versions() == before, "run again: other versions")
        self.run(world, month(MONTHS[1]))
        self.run(world, BACKFILL)
        self.check_archive(place, world, MONTHS, "backfill")
        self.check_versions(place, "backfill")
        before = place.versions()
        for command in READING.values():
            self.run(world, command)
        self.expect((world.paths["output"] / "slice.csv").stat().st_size > 1_000, "pull: no slice")
        if url := os.environ.get("KT_TEST_POSTGRES"):
            restored = self.run(world, ["restore", "--month", MONTHS[0], "--into", f"{url}/postgres", "--drill"])
            self.expect(restored["rows"] == 40, f"restore: {restored}")
        self.expect(place.versions() == before, "reading: other versions")
        world.close()

    def kills(self, count):
        """Kills a backfill at `count` moments of its time."""
        place = Locked("killed")
        world = self.world(place)
        begun = time.monotonic()
        self.run(world, BACKFILL)
        duration = time.monotonic() - begun
        world.close()
        hit = 0
        for number in range(count):
            place = Locked("killed")
            world = self.world(place)
            process = subprocess.Popen(
                world.line(BACKFILL),
                env={**world.environment(), **world.environment_of_cloud},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(duration * number / count)
            process.kill()
            hit += process.wait() == -9
            self.run(world, BACKFILL)
            self.check_archive(place, world, MONTHS, f"kill {number} of {count}")
            versions = place.versions()
            markers = sorted({key for key, _, kind, _ in versions if kind == "DeleteMarker"})
            if markers:
                self.notes.append(f"kill {number} of {count}: delete markers of {markers}")
            keys = [key for key, _, kind, _ in versions if kind == "Version"]
            twice = sorted({key for key in keys if keys.count(key) > 1 and key not in markers})
            self.expect(not twice, f"kill {number} of {count}: several versions of {twice}")
            world.close()
        self.expect(hit >= count // 2, f"only {hit} of {count} kills took place")

    def replica(self):
        """A replica in a locked bucket, of a folder; repaired without a deletion."""
        place = Locked("replica")
        world = self.world(place)
        world.paths["archive"], world.paths["replica"] = world.root / "archive", place.url
        self.run(world, BACKFILL)
        replicate = ["replicate", "--replica", "{replica}"]
        self.run(world, replicate)
        self.check_archive(place, world, MONTHS, "replicate")
        self.check_versions(place, "replicate")
        data = [object for object in sorted(place.names()) if "/month=" in object]
        damaged = [data[0], "manifests/00000002.json"]
        for object in damaged:
            place.put(object, b"damaged")
        place.delete(data[1])
        self.run(world, replicate, 4)
        self.run(world, [*replicate, "--repair"])
        self.check_archive(place, world, MONTHS, "repair")
        versions = place.versions()
        markers = [key for key, _, kind, _ in versions if kind == "DeleteMarker"]
        self.expect(markers == [data[1]], f"repair: delete markers of {markers}")
        counts = [sum(key == object and kind == "Version" for key, _, kind, _ in versions) for object in damaged]
        self.expect(counts == [3, 3], f"repair: {counts} versions of {damaged}")
        self.run(world, [*replicate, "--repair"])
        self.expect(place.versions() == versions, "repair again: other versions")
        world.paths["archive"] = place.url
        self.run(world, READING["verify"])
        world.close()

    def attacks(self):
        """A delete marker, or a new version, on each object of an archive."""
        place = Locked("attacked")
        world = self.world(place)
        self.run(world, BACKFILL)
        for object in sorted(place.names()):
            # On a host that has never seen the archive, too.
            for attack in ("delete marker", "new version", "other content"):
                original = place.send("GET", object)
                if attack == "delete marker":
                    place.delete(object)
                elif attack == "new version":
                    place.put(object, original[:-1])
                else:
                    place.put(object, with_other_digit(original))
                for host in ("known", "other"):
                    state = world.paths["state"]
                    if host == "other":
                        world.paths["state"] = world.root / f"state-{uuid.uuid4().hex}"
                    name = f"{attack} on {object}, {host} host"
                    done = world.run([*READING["verify"], "--json"], environment=world.environment_of_cloud)
                    document = json.loads(done.stdout)
                    text = json.dumps(document, ensure_ascii=False)
                    self.expect(done.returncode in (4, 7), f"{name}: exit {done.returncode}")
                    # A last manifest that differs contradicts its sums, which have its number.
                    self.expect(object.rpartition(".")[0] in text, f"{name}: not named in {text[:600]}")
                    world.paths["state"] = state
                version = next(version for key, version, _, latest in place.versions() if key == object and latest)
                try:
                    place.delete(object, version)
                except urllib.error.HTTPError as error:
                    # A locked version stays; the owner writes the original on top.
                    self.expect(error.code in (403, 405), f"{name}: {error}")
                    place.put(object, original)
                else:
                    self.expect(attack == "delete marker", f"{name}: a locked version was deleted")
                self.expect(place.send("GET", object) == original, f"{name}: not undone")
        self.run(world, READING["verify"])
        # The end of the chain: without the last manifest and its sums the others are consistent. The head of the last
        # verification, which is on record on this host, shows it, and so does one that was noted elsewhere.
        for object in ("manifests/00000003.json", "manifests/00000003.SHA256SUMS"):
            place.delete(object)
        shorter = self.run(world, READING["verify"], 4)
        unnamed = {finding["path"] for finding in shorter["findings"] if finding["code"] == "V015"}
        self.expect(len(unnamed) == 2, f"the end of the chain deleted: {shorter}")
        self.run(world, [*READING["verify"], "--expect-head", "3"], 4)
        world.close()


def with_other_digit(content):
    """`content` with another last digit, or with another last byte if it has none."""
    digits = [index for index, byte in enumerate(content) if chr(byte).isdigit()]
    index = digits[-1] if digits else len(content) - 1
    return content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=30)
    arguments = parser.parse_args()
    suite = Suite(Path(arguments.program).resolve())
    for part in (suite.commands, lambda: suite.kills(arguments.kills), suite.replica, suite.attacks):
        try:
            part()
        except Exception as error:
            suite.failures.append(repr(error))
    report = {"checks": suite.checks, "notes": suite.notes, "failures": suite.failures}
    print(json.dumps(report, indent=1, ensure_ascii=False))
    sys.exit(bool(suite.failures))


if __name__ == "__main__":
    main()
