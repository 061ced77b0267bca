"""A proxy on loopback that counts what a program sends to a server, and does harm to one message or answer."""

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
        except (OSError, Broken):
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
