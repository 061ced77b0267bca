"""Time per event and peak memory as a month grows. The events are generated (`demo:`), which is part of the time."""

from functools import partial

from turns import Comparison, Goal, Program

EVENTS = [100_000, 1_000_000, 10_000_000, 12_000_000]


def compare(options):
    def archive(events, folder):
        places = ["--archive", folder / "archive", "--state-dir", folder / "state"]
        return [options.kt_archive, "run", "--source", f"demo:?events={events}", "--month", "2025-01", *places, "--quiet"]

    sizes = options.events or EVENTS
    programs = {f"{events:,}": Program(partial(archive, events), events) for events in sizes}
    names = list(programs)
    goals = [Goal("µs a row", 1.1, names, name) for name in names] + [Goal("peak MiB", 256, program=name) for name in names]
    columns = ("seconds", "µs a row", "CPU s", "peak MiB", "MB written")
    return Comparison("One month of generated events", programs, [], goals, columns)
