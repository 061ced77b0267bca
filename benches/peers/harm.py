"""The harm to the database of a year's backfill, beside DuckDB's: long transactions, and dead rows that vacuum must keep.

While a program runs, one session updates rows of the table at a steady rate, one samples pg_stat_activity, and one
vacuums the table. The samples leave these sessions out. The largest values are kept.
"""

import itertools
import re
import threading
import time
from contextlib import contextmanager

import psycopg

import convert
from server import Server

NAME = "harm"
TABLE = "events_year"
# Seconds between two updates of a row, samples, and vacuums.
UPDATE, SAMPLE, VACUUM = 0.02, 0.05, 2

ACTIVITY = f"""
select extract(epoch from clock_timestamp() - min(xact_start))::float,
    extract(epoch from clock_timestamp() - min(query_start) filter (where state = 'active'))::float,
    max(age(backend_xmin)), (array_agg(backend_xmin::text order by age(backend_xmin) desc nulls last))[1]
from pg_stat_activity
where backend_type = 'client backend' and datname = current_database() and application_name <> '{NAME}'
"""
COLUMNS = ["longest transaction s", "longest query s", "xmin held s", "xmin age", "rows updated", "dead rows kept"]


class Watch:
    def __init__(self, url):
        self.url, self.server = url, Server(url)
        self.server.connection.execute(f"set application_name = '{NAME}'")
        ids = self.server.connection.execute(f"select id from {TABLE} tablesample system (1) limit 10000")
        self.ids = itertools.cycle([id for (id,) in ids])

    @contextmanager
    def watch(self):
        watched, ended = dict.fromkeys(COLUMNS, 0), threading.Event()
        actions = [(UPDATE, self.update), (SAMPLE, self.sample), (VACUUM, self.vacuum)]
        threads = [threading.Thread(target=self.repeat, args=(*action, watched, ended)) for action in actions]
        for thread in threads:
            thread.start()
        try:
            yield watched
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        self.server.connection.execute(f"vacuum {TABLE}")

    def repeat(self, seconds, action, watched, ended):
        with psycopg.connect(self.url, autocommit=True, application_name=NAME) as connection:
            steps = action(connection, watched)
            while not ended.wait(seconds):
                next(steps)

    def update(self, connection, watched):
        while True:
            connection.execute(f"update {TABLE} set model = model where id = %s", [next(self.ids)])
            watched["rows updated"] += 1
            yield

    def sample(self, connection, watched):
        since = {}
        while True:
            transaction, query, age, xmin = connection.execute(ACTIVITY).fetchone()
            # How long this xmin has been the oldest.
            held = time.monotonic() - since.setdefault(xmin, time.monotonic()) if xmin else 0
            for column, value in zip(COLUMNS, (transaction, query, held, age)):
                watched[column] = max(watched[column], value or 0)
            yield

    def vacuum(self, connection, watched):
        def notice(message):
            kept = re.search(r"(\d+) (?:are dead but not yet removable|dead row versions cannot be removed)", message.message_primary)
            watched["dead rows kept"] = max(watched["dead rows kept"], int(kept[1]) if kept else 0)

        connection.add_notice_handler(notice)
        while True:
            connection.execute(f"vacuum (verbose) {TABLE}")
            yield


def compare(options):
    comparison = convert.compare("postgres", "year", options)
    del comparison.programs["drain"]
    comparison.goals, comparison.watch = [], Watch(options.url).watch
    comparison.columns = ("seconds", *COLUMNS)
    return comparison
