"""Runs a program, and prints what it took as JSON: python -IS launch.py OUTPUT PROGRAM [ARGUMENT ...].

A process of its own, since Linux counts the memory of the process that starts a program as the program's peak: that of
this one is 8 MiB. Times and memory include the program's children that it waited for; memory is that of the largest.
"""

import json
import os
import sys
import time

output, *arguments = sys.argv[1:]
actions = [
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT, 0o600),
    (os.POSIX_SPAWN_DUP2, 1, 2),
]
start = time.monotonic()
child = os.posix_spawnp(arguments[0], arguments, os.environ, file_actions=actions)
_, status, usage = os.wait4(child, 0)
seconds = time.monotonic() - start
measured = {"seconds": seconds, "CPU s": usage.ru_utime + usage.ru_stime, "peak MiB": usage.ru_maxrss / 1024}
print(json.dumps([os.waitstatus_to_exitcode(status), measured]))
