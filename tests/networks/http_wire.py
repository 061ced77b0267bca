"""A proxy before an HTTP server, and the harm that it does to requests and answers."""

import copy
import http.client
import threading

from proxy import PATIENCE, Broken, Proxy, reset, shut, trickle


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
        """Sends nothing more until the program has ended."""
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
        except http.client.HTTPException as error:
            raise Broken from error
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
