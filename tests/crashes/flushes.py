"""What a power cut may take back, from the log of `calls`.

A file system may drop, in any combination, the content of a file that was not flushed since it was written, and the change
of a folder that was not flushed since: a new name, a renaming, a new folder.
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

O_CREAT, O_TRUNC = 0o100, 0o1000


@dataclass(eq=False)
class Inode:
    is_folder: bool
    flushed: bool = True


@dataclass
class Disk:
    """The names below a folder, and which of them a power cut may take back."""

    names: dict = field(default_factory=dict)
    # Name to the name that it was renamed from, if any, for changes that were not flushed.
    pending: dict = field(default_factory=dict)

    @classmethod
    def before(cls, folder):
        disk = cls()
        for path, folders, files in os.walk(folder):
            disk.names[path] = Inode(True)
            disk.names |= {os.path.join(path, name): Inode(False) for name in files}
        return disk

    def apply(self, log):
        for line in log.splitlines():
            name, result, path, other, extra = line.split("\t")
            if int(result) >= 0:
                path, other = path.rstrip("/"), other.rstrip("/")
                getattr(self, name, lambda *_: None)(path, other, int(extra))

    def open(self, path, _, flags):
        if flags & O_CREAT and path not in self.names:
            self.names[path] = Inode(False)
            self.pending[path] = None
        if flags & O_TRUNC and path in self.names:
            self.names[path].flushed = False

    def write(self, path, *_):
        if path in self.names:
            self.names[path].flushed = False

    truncate = copy = write

    def fsync(self, path, *_):
        inode = self.names.get(path)
        if inode is None:
            return
        inode.flushed = True
        if inode.is_folder:
            self.pending = {name: old for name, old in self.pending.items() if os.path.dirname(name) != path}

    def mkdir(self, path, *_):
        self.names[path] = Inode(True)
        self.pending[path] = None

    def link(self, path, other, _):
        self.names[other] = self.names[path]
        self.pending[other] = None

    def rename(self, path, other, _):
        moved = [name for name in self.names if name == path or name.startswith(path + "/")]
        for name in moved:
            self.names[other + name[len(path) :]] = self.names.pop(name)
            self.pending.pop(name, None)
        self.pending[other] = path

    def unlink(self, path, *_):
        # A name that comes back after a power cut is one that the program leaves behind when it is killed.
        self.names.pop(path, None)
        self.pending.pop(path, None)

    rmdir = unlink

    def adopt(self, folder):
        """Adds what a killed program made by calls whose end is not in the log."""
        for path, folders, files in os.walk(folder):
            for name in folders + files:
                made = os.path.join(path, name)
                if made not in self.names:
                    self.names[made] = Inode(name in folders, flushed=False)
                    self.pending[made] = None

    def changes(self):
        """All that may be taken back: ("name", path) and ("content", path)."""
        unflushed = {path for path, inode in self.names.items() if not inode.is_folder and not inode.flushed}
        return sorted([("name", path) for path in self.pending] + [("content", path) for path in unflushed])

    def take_back(self, changes):
        """Takes these changes back on the real disk, the deepest names first."""
        for kind, path in sorted(changes, key=lambda change: -len(change[1])):
            path, old = Path(path), self.pending.get(path)
            if not path.exists():
                continue
            if kind == "content":
                path.write_bytes(b"")
            elif path.is_dir():
                shutil.rmtree(path)
            elif old is None:
                path.unlink()
            else:
                path.rename(old)


def cuts(changes):
    """Sets of changes that a power cut takes back: all, those of one kind, each alone, and all but each."""
    kinds = [[change for change in changes if change[0] == kind] for kind in ("name", "content")]
    sets = [changes, *kinds, *[[change] for change in changes], *[[it for it in changes if it != one] for one in changes]]
    distinct = {tuple(sorted(chosen)) for chosen in sets}
    return sorted(distinct - {()})
