"""A proxy before a PostgreSQL server, and the harm that it does to statements and answers. It speaks no TLS.

It counts the messages that make the server work: a login, statements, and the rows and the end of a COPY.
"""

import socket
import struct
import threading

from proxy import PATIENCE, Broken, Proxy, reset, shut, trickle

SSL, GSS, CANCEL = 80877103, 80877104, 80877102
COUNTED = {b"Q": "query", b"P": "parse", b"E": "execute", b"d": "rows", b"c": "end of rows"}


def read_exactly(connection, size):
    content = b""
    while len(content) < size:
        piece = connection.recv(size - len(content))
        if not piece:
            raise Broken
        content += piece
    return content


def read_message(connection):
    """The kind of a message, and all of its bytes."""
    head = read_exactly(connection, 5)
    return head[:1], head + read_exactly(connection, struct.unpack("!i", head[1:])[0] - 4)


def message(kind, payload):
    return kind + struct.pack("!i", len(payload) + 4) + payload


def error_response(severity, code, text):
    fields = {"S": severity, "V": severity, "C": code, "M": text}
    return message(b"E", b"".join(f"{key}{value}\0".encode() for key, value in fields.items()) + b"\0")


def raising(code):
    """A statement that fails with this SQLSTATE."""
    return f"do language plpgsql $$ begin raise exception 'injected' using errcode = '{code}'; end $$"


def query(text):
    return message(b"Q", text.encode() + b"\0")


class Server:
    """A connection for statements of the suite itself, without a password."""

    def __init__(self, upstream, database, user="postgres"):
        self.connection = socket.create_connection(upstream, timeout=PATIENCE)
        parameters = f"user\0{user}\0database\0{database}\0\0".encode()
        self.connection.sendall(struct.pack("!ii", len(parameters) + 8, 196608) + parameters)
        self.until_ready()

    def sql(self, text):
        """Runs statements, and returns the first values of their rows."""
        self.connection.sendall(query(text))
        rows = []
        for kind, content in self.until_ready():
            if kind == b"D":
                size = struct.unpack("!i", content[7:11])[0]
                rows.append(content[11 : 11 + size].decode() if size >= 0 else None)
        return rows

    def until_ready(self):
        found = []
        while True:
            kind, content = read_message(self.connection)
            if kind == b"E":
                raise RuntimeError(content.decode(errors="replace"))
            if kind == b"Z":
                return found
            found.append((kind, content))

    def close(self):
        self.connection.close()


class PostgresProxy(Proxy):
    """Before a PostgreSQL server. `terminate` ends a session of it by its process ID."""

    def __init__(self, upstream, terminate):
        self.terminate, self.sessions = terminate, []
        super().__init__(upstream)

    def serve(self, client):
        Session(self, client).run()

    def session_ids(self):
        return [session.backend for session in self.sessions if session.backend]


class Session:
    """A session of the program with the server. One thread reads the program, another the server."""

    def __init__(self, proxy, client):
        self.proxy, self.client, self.backend = proxy, client, None
        self.lock = threading.Lock()
        # Answers that the server owes, up to the one that a fault waits for.
        self.owed, self.waiting = 0, None
        # Whether the program's messages up to the next Sync are withheld from the server.
        self.swallowing = None

    def run(self):
        self.server = socket.create_connection(self.proxy.upstream, timeout=PATIENCE)
        self.proxy.sessions.append(self)
        try:
            self.log_in()
            threading.Thread(target=self.pump, daemon=True).start()
            while True:
                self.pass_on(*read_message(self.client))
        finally:
            shut(self.server)
            self.server.close()

    def log_in(self):
        while True:
            size = read_exactly(self.client, 4)
            packet = size + read_exactly(self.client, struct.unpack("!i", size)[0] - 4)
            code = struct.unpack("!i", packet[4:8])[0]
            if code in (SSL, GSS):
                self.client.sendall(b"N")
                continue
            if code == CANCEL:
                self.server.sendall(packet)
                raise Broken
            break
        fault = self.proxy.count("login")
        if fault:
            fault.hit = fault.hit or "login"
            POSTGRES_FAULTS[fault.kind](self, fault, b"", packet)
            return
        self.expect_answer()
        self.server.sendall(packet)

    def pass_on(self, kind, content):
        if kind in COUNTED:
            text = content[5:].split(b"\0")
            statement = text[0 if kind == b"Q" else 1] if kind in (b"Q", b"P") else b""
            fault = self.proxy.count(f"{COUNTED[kind]} {statement.decode(errors='replace')[:60]}".strip())
            if fault:
                fault.hit = fault.hit or self.proxy.messages[-1]
                POSTGRES_FAULTS[fault.kind](self, fault, kind, content)
                return
        self.forward(kind, content)

    def forward(self, kind, content):
        if self.swallowing is not None:
            if kind == b"S":
                self.swallowing()
                self.swallowing = None
            return
        if kind in (b"Q", b"S"):
            self.expect_answer()
        self.server.sendall(content)

    def expect_answer(self):
        with self.lock:
            self.owed += 1

    def wait_for_answer(self, finish):
        """Collects the answer to the message that is about to be sent, and gives its messages to `finish`."""
        with self.lock:
            self.waiting = [self.owed, [], finish]

    def pump(self):
        try:
            while True:
                kind, content = read_message(self.server)
                if kind == b"K":
                    self.backend = struct.unpack("!i", content[5:9])[0]
                self.deliver(kind, content)
        except (OSError, Broken):
            pass
        finally:
            # Also if the server ended within an answer that is held back.
            if self.waiting and not self.proxy.ended.is_set():
                self.flush_held()
            shut(self.client)

    def flush_held(self):
        try:
            self.client.sendall(b"".join(content for _, content in self.waiting[1]))
        except OSError:
            pass

    def deliver(self, kind, content):
        with self.lock:
            waiting = self.waiting
            is_ours = waiting is not None and waiting[0] == 0
            # A Sync that was sent before a COPY of rows to the server is skipped there.
            done = kind in (b"Z", b"G")
            if done:
                self.owed = 0 if kind == b"G" else self.owed - 1
                if waiting and not is_ours:
                    waiting[0] = 0 if kind == b"G" else waiting[0] - 1
        if not is_ours:
            self.client.sendall(content)
            return
        waiting[1].append((kind, content))
        if done:
            self.waiting = None
            waiting[2](waiting[1])

    def break_off(self):
        shut(self.server)
        reset(self.client)

    def hold(self):
        self.proxy.ended.wait(PATIENCE)
        raise Broken


def on_answer(work):
    """Does harm to the answer: `work` gets the session, the fault and the answer's messages."""

    def harm(session, fault, kind, content):
        session.wait_for_answer(lambda answer: work(session, fault, answer))
        if kind in (b"Q", b""):
            session.expect_answer()
        session.server.sendall(content)

    return harm


def whole(answer):
    return b"".join(content for _, content in answer)


def pg_reset_before(session, *_):
    session.break_off()


def pg_lose(session, _, answer):
    session.break_off()


def pg_cut(place, end="shut"):
    def cutting(session, fault, answer):
        content = whole(answer)
        if place == "between rows":
            # After the first row of a COPY, at the end of its message.
            rows = [number for number, (kind, _) in enumerate(answer) if kind == b"d"]
            if len(rows) < 3:
                fault.hit = None
                session.client.sendall(content)
                return
            sent = whole(answer[: rows[1] + 1])
        else:
            sent = content[: {"first": 1, "middle": len(content) // 2, "last": len(content) - 1}[place]]
        session.client.sendall(sent)
        shut(session.server)
        if end == "reset":
            reset(session.client)
        shut(session.client)

    return cutting


def pg_error(session, _, kind, content):
    """The server fails the statement, with a real error."""
    codes = ["40001", "57014", "53200", "XX000"]
    code = codes[len(session.proxy.messages) % len(codes)]
    if kind == b"":
        session.client.sendall(error_response("FATAL", "57P03", "the database system is starting up"))
        shut(session.client)
        raise Broken
    if kind in (b"d", b"c"):
        session.server.sendall(message(b"f", b"injected\0"))
        return
    if kind == b"Q":
        session.expect_answer()
        session.server.sendall(query(raising(code)))
        return

    def fail():
        session.expect_answer()
        session.server.sendall(query(raising(code)))

    session.swallowing = fail


def pg_terminated(session, fault, kind, content):
    if not session.backend:
        fault.hit = None
    else:
        session.proxy.terminate(session.backend)
    if kind in (b"Q", b""):
        session.expect_answer()
    try:
        session.server.sendall(content)
    except OSError:
        # The server closed the connection, and its last words are on their way.
        pass


def pg_stall(session, _, answer):
    session.hold()


def pg_stall_in_answer(session, _, answer):
    content = whole(answer)
    session.client.sendall(content[: len(content) // 2])
    session.hold()


def pg_slow(session, _, answer):
    trickle(session.client, whole(answer))


def pg_row_missing(session, fault, answer):
    rows = [number for number, (kind, _) in enumerate(answer) if kind == b"d"]
    if len(rows) < 3:
        fault.hit = None
    else:
        del answer[rows[1]]
    session.client.sendall(whole(answer))


def pg_row_changed(session, fault, answer):
    rows = [number for number, (kind, _) in enumerate(answer) if kind == b"d"]
    if len(rows) < 3:
        fault.hit = None
    else:
        kind, content = answer[rows[1]]
        answer[rows[1]] = (kind, content[:-1] + bytes([content[-1] ^ 0x01]))
    session.client.sendall(whole(answer))


def pg_sent_row(change):
    """Harm to rows on their way to the server."""

    def harm(session, fault, kind, content):
        if kind != b"d" or len(content) < 100:
            fault.hit = None
            session.forward(kind, content)
        else:
            change(session, content)

    return harm


def pg_kill_before(session, *_):
    session.proxy.kill_program()
    raise Broken


def pg_kill_after(session, _, answer):
    session.proxy.kill_program()
    shut(session.server)
    raise Broken


def change_sent(session, content):
    # Within the text of the last column of the first row.
    place = content.index(b"note") + 1
    session.server.sendall(content[:place] + bytes([content[place] ^ 0x01]) + content[place + 1 :])


def cut_sent(session, content):
    session.server.sendall(content[: len(content) // 2])
    session.break_off()


POSTGRES_FAULTS = {
    "reset before the statement": pg_reset_before,
    "answer lost": on_answer(pg_lose),
    "error": pg_error,
    "session terminated": pg_terminated,
    "cut after the first byte": on_answer(pg_cut("first")),
    "cut in the middle": on_answer(pg_cut("middle")),
    "reset in the middle": on_answer(pg_cut("middle", "reset")),
    "last byte missing": on_answer(pg_cut("last")),
    "cut between rows": on_answer(pg_cut("between rows")),
    "row missing": on_answer(pg_row_missing),
    "row changed": on_answer(pg_row_changed),
    "sent rows cut": pg_sent_row(cut_sent),
    "sent row changed": pg_sent_row(change_sent),
    "stall": on_answer(pg_stall),
    "stall in the answer": on_answer(pg_stall_in_answer),
    "slow": on_answer(pg_slow),
    "killed before": pg_kill_before,
    "killed after": on_answer(pg_kill_after),
}
