"""Where the events of a comparison come from: a file of make_events.py, or a table of load_events.py."""

from dataclasses import dataclass

# How kt-archive is asked for all of them.
SPANS = {"month": ["run", "--month", "2025-01"], "year": ["backfill", "--from", "2025-01", "--to", "2025-12"]}


@dataclass
class Source:
    title: str
    events: int
    span: str
    # Its options for kt-archive, and its arguments for peers.py.
    options: list
    peers: list

    def archive(self, program, folder, *options):
        """The command that archives it into a folder."""
        places = ["--archive", folder / "archive", "--state-dir", folder / "state"]
        return [program, *SPANS[self.span], *self.options, *places, *options, "--quiet"]


def file(folder, kind, span):
    path = folder / f"{span}.{kind}"
    with open(path, "rb") as lines:
        count = sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
    # Every event is one line, and a CSV has one more.
    events = count - (kind == "csv")
    return Source(f"`{path.name}`: {events:,} events, {path.stat().st_size / 1e6:,.0f} MB", events, span, ["--source", path], [path])


def table(url, span):
    import psycopg

    name = f"events_{span}"
    with psycopg.connect(url) as connection:
        events = connection.execute(f"select count(*) from {name}").fetchone()[0]
    return Source(f"`{name}`: {events:,} events of PostgreSQL", events, span, ["--source", url, "--table", name], [url, name])
