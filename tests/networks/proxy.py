"""Proxies on loopback that count what a program sends to a server, and do harm to one message or answer.

`HttpProxy` counts requests. `PostgresProxy` counts the messages of a client that make the server work: a login, statements,
and the rows and the end of a COPY; it speaks no TLS.
"""

import copy
import http.client
import socket
import struct
import threading
import time

# Longer than any run may take.
PATIENCE = 300


class Broken(Exception):
    """The connection to the program is closed."""


class Fault:
    """Harm to the message with the number `at`, and to all after it if `lasting`."""

    def __init__(self, kind, at, lasting=False):
        self.kind, self.at, self.lasting = kind, at, lasting
        # What the message was, once the fault took place.
        self.hit = None


class Proxy:
    """Accepts connections of the program; `serve` handles one. `kill` ends the program."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.begin(None, None)
        self.sockets, self.late = set(), []
        threading.Thread(target=self.accept, daemon=True).start()

    def begin(self, fault, kill):
        """A new run of the program starts."""
        with self.lock:
            self.fault, self.kill, self.messages, self.ended = fault, kill, [], threading.Event()

    def end(self):
        """The run has ended: what was held back is let go, and what arrives late arrives now."""
        self.ended.set()
        for thread in self.late:
            thread.join(PATIENCE)
        self.late = []

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets.add(client)
            threading.Thread(target=self.handle, args=(client,), daemon=True).start()

    def handle(self, client):
        try:
            self.serve(client)
        except (OSError, Broken, http.client.HTTPException):
            pass
        finally:
            client.close()
            self.sockets.discard(client)

    def count(self, message):
        """Counts a message, and returns the fault that it meets."""
        with self.lock:
            self.messages.append(message)
            fault, number = self.fault, len(self.messages)
        if fault and (number == fault.at or fault.lasting and number > fault.at):
            return fault
        return None

    def kill_program(self):
        self.kill()
        self.ended.wait(PATIENCE)

    def close(self):
        self.ended.set()
        self.listener.close()
        for client in list(self.sockets):
            shut(client)


def shut(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def reset(client):
    """Ends a connection with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Another thread that reads would keep the connection open.
    client.shutdown(socket.SHUT_RD)
    client.close()
    raise Broken


def trickle(client, content, pieces=20):
    size = max(1, len(content) // pieces)
    for start in range(0, len(content), size):
        client.sendall(content[start : start + size])
        time.sleep(0.01)


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body

    @classmethod
    def read(cls, stream):
        words = stream.readline().split()
        if len(words) < 2:
            raise Broken
        headers, length = [], 0
        while (line := stream.readline().strip()):
            name, value = line.decode().split(":", 1)
            headers.append((name, value.strip()))
            if name.lower() == "content-length":
                length = int(value)
        return cls(words[0].decode(), words[1].decode(), headers, stream.read(length))

    def key(self):
        ranges = [value for name, value in self.headers if name.lower() == "range"]
        return (self.method, self.target, *ranges)


class Answer:
    def __init__(self, status, reason, headers, body):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    def differs(self, other):
        tags = [[value for name, value in one.headers if name.lower() == "etag"] for one in (self, other)]
        return (self.status, self.body) != (other.status, other.body) or tags[0] != tags[1]

    def replace(self, old, new):
        """The same answer about objects below another prefix."""
        return Answer(self.status, self.reason, self.headers, self.body.replace(old.encode(), new.encode()))

    def head(self, length=None):
        """The bytes before the body, with another `Content-Length` than the right one if `length` is given."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        for name, value in self.headers:
            is_length = name.lower() == "content-length"
            lines.append(f"{name}: {value if length is None or not is_length else length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Exchange:
    """A request of the program that meets a fault."""

    def __init__(self, proxy, client, request):
        self.proxy, self.client, self.request = proxy, client, request

    def forward(self):
        return self.proxy.forward(self.request)

    def send(self, content):
        self.client.sendall(content)

    def hang_up(self):
        shut(self.client)
        raise Broken

    def hold(self):
        """Says nothing more until the program has ended."""
        self.proxy.ended.wait(PATIENCE)
        raise Broken


class HttpProxy(Proxy):
    """Before an HTTP server. `memory` holds the distinct answers to each reading request, in their order."""

    def __init__(self, upstream, memory=None):
        self.memory = copy.copy(memory) if memory else {}
        self.answered = {}
        super().__init__(upstream)

    def serve(self, client):
        stream = client.makefile("rb")
        while True:
            request = Request.read(stream)
            fault = self.count(request)
            if fault is None:
                answer = self.forward(request)
                client.sendall(answer.head() + answer.body)
                continue
            answer = HTTP_FAULTS[fault.kind](Exchange(self, client, request), fault)
            if answer:
                client.sendall(answer.head() + answer.body)

    def forward(self, request):
        server = http.client.HTTPConnection(*self.upstream, timeout=PATIENCE)
        try:
            server.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                server.putheader(name, value)
            server.endheaders(request.body)
            response = server.getresponse()
            body = response.read()
        finally:
            server.close()
        dropped = {"transfer-encoding", "connection"}
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in dropped]
        if not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(body))))
        answer = Answer(response.status, response.reason, headers, body)
        self.remember(request, answer)
        return answer

    def remember(self, request, answer):
        request.answer = answer
        if request.method in ("GET", "HEAD"):
            with self.lock:
                known = self.memory.get(request.key(), [])
                if not known or known[-1].differs(answer):
                    self.memory[request.key()] = [*known, answer]


def http_fault(function):
    """Marks the fault as met, before it does its harm."""

    def met(exchange, fault):
        fault.hit = fault.hit or describe(exchange.request)
        return function(exchange, fault)

    return met


def describe(request):
    return f"{request.method} {request.target.split('?X-')[0]}"


@http_fault
def reset_before(exchange, _):
    reset(exchange.client)


@http_fault
def lose_answer(exchange, _):
    exchange.forward()
    reset(exchange.client)


def refuse(status, reason, code, forwarded=False):
    """An error of the server, in its own form; also after the request took effect."""

    @http_fault
    def refused(exchange, _):
        if forwarded:
            exchange.forward()
        body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{reason}</Message></Error>'
        return Answer(status, reason, [("Content-Length", str(len(body))), ("Content-Type", "application/xml")], body.encode())

    return refused


def cut(place, end=shut):
    """Ends an answer within its header, or after a part of its body."""

    def cutting(exchange, fault):
        answer = exchange.forward()
        head, body = answer.head(), answer.body
        if place == "header":
            sent = head[: len(head) // 2]
        elif exchange.request.method == "HEAD" or len(body) < 3:
            return answer
        else:
            sent = head + body[: {"first": 1, "middle": len(body) // 2, "last": len(body) - 1}[place]]
        fault.hit = describe(exchange.request)
        exchange.send(sent)
        end(exchange.client)
        raise Broken

    return cutting


@http_fault
def stall(exchange, _):
    exchange.hold()


def stall_in_body(exchange, fault):
    answer = exchange.forward()
    if exchange.request.method == "HEAD" or len(answer.body) < 3:
        return answer
    fault.hit = describe(exchange.request)
    exchange.send(answer.head() + answer.body[: len(answer.body) // 2])
    exchange.hold()


@http_fault
def slow(exchange, _):
    answer = exchange.forward()
    trickle(exchange.client, answer.head() + answer.body)


@http_fault
def late(exchange, _):
    """The request reaches the server after the program has ended."""
    proxy, request, ended = exchange.proxy, exchange.request, exchange.proxy.ended

    def deliver():
        ended.wait(PATIENCE)
        proxy.forward(request)

    thread = threading.Thread(target=deliver, daemon=True)
    proxy.late.append(thread)
    thread.start()
    exchange.hold()


def wrong_length(change):
    """A `Content-Length` that is not that of the body, after which the connection ends."""

    def wrong(exchange, fault):
        answer = exchange.forward()
        named = [int(value) for name, value in answer.headers if name.lower() == "content-length"]
        if change(named[0]) == named[0]:
            return answer
        fault.hit = describe(exchange.request)
        exchange.send(answer.head(change(named[0])) + answer.body)
        exchange.hang_up()

    return wrong


def flip(place):
    """One byte of a body is changed."""

    def flipped(exchange, fault):
        answer = exchange.forward()
        if not 200 <= answer.status < 300 or not answer.body:
            return answer
        fault.hit = describe(exchange.request)
        body = bytearray(answer.body)
        body[int(len(body) * place)] ^= 0x01
        return Answer(answer.status, answer.reason, answer.headers, bytes(body))

    return flipped


def stale(exchange, fault):
    """An earlier answer to the same request, if it differs; with a lasting fault, for the rest of the run."""
    if exchange.request.method not in ("GET", "HEAD"):
        return exchange.forward()
    key = exchange.request.key()
    if not hasattr(fault, "old"):
        fault.old = {}
    if fault.old and key not in fault.old:
        return exchange.forward()
    before = list(exchange.proxy.memory.get(key, []))
    answer = exchange.forward()
    older = [fault.old[key]] if key in fault.old else [one for one in before if one.differs(answer)]
    if not older:
        return answer
    fault.old[key] = older[-1]
    fault.hit = describe(exchange.request)
    return older[-1]


@http_fault
def kill_before(exchange, _):
    exchange.proxy.kill_program()
    raise Broken


@http_fault
def kill_after(exchange, _):
    exchange.forward()
    exchange.proxy.kill_program()
    raise Broken


HTTP_FAULTS = {
    "reset before the request": reset_before,
    "answer lost": lose_answer,
    "503": refuse(503, "Service Unavailable", "SlowDown"),
    "500": refuse(500, "Internal Server Error", "InternalError"),
    "500, but done": refuse(500, "Internal Server Error", "InternalError", forwarded=True),
    "403": refuse(403, "Forbidden", "AccessDenied"),
    "cut in the header": cut("header"),
    "cut after the first byte": cut("first"),
    "cut in the middle": cut("middle"),
    "reset in the middle": cut("middle", reset),
    "last byte missing": cut("last"),
    "stall": stall,
    "stall in the body": stall_in_body,
    "slow": slow,
    "late": late,
    "length too large": wrong_length(lambda length: length + 10),
    "length too small": wrong_length(lambda length: length * 2 // 3),
    "byte changed at the begin": flip(0.1),
    "byte changed in the middle": flip(0.5),
    "byte changed at the end": flip(0.95),
    "stale": stale,
    "killed before": kill_before,
    "killed after": kill_after,
}


# PostgreSQL's protocol, version 3.

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
            told = text[0 if kind == b"Q" else 1] if kind in (b"Q", b"P") else b""
            fault = self.proxy.count(f"{COUNTED[kind]} {told.decode(errors='replace')[:60]}".strip())
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
