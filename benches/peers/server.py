"""The CPU time of a PostgreSQL server on this machine: that of its processes, and of those that ended."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg

# Of /proc/PID/stat, from the state on: the parent, and user and system time, also of children that ended.
PARENT, OWN, ALL = 1, slice(11, 13), slice(11, 15)


class Server:
    def __init__(self, url):
        self.connection = psycopg.connect(url, autocommit=True)
        backend = stat(self.connection.info.backend_pid)
        if not backend:
            sys.exit("the server of PostgreSQL is not on this machine")
        self.postmaster = int(backend[PARENT])

    def cpu(self):
        """User and system time in seconds."""
        processes = [stat(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        times = [fields[OWN] for fields in processes if fields and int(fields[PARENT]) == self.postmaster]
        times.append(stat(self.postmaster)[ALL])
        return sum(int(ticks) for process in times for ticks in process) / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def watch(self):
        watched, before = {}, self.cpu()
        yield watched
        watched["server's CPU s"] = self.cpu() - before


def stat(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
