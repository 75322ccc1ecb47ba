"""Servers on 127.0.0.1 that take a connection and then do not do their part.

    with dripping("a byte a second") as address:  # 127.0.0.1:PORT
        ...

WAYS has their names; a `Relay` becomes silent when it is told to. Nothing here knows a protocol
beyond what HTTP's clients see first.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

Talk = Callable[[socket.socket, threading.Event], None]
"""What a server does with a connection until the event says that the test is over."""
BLOCK = 65_536  # bytes
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # of TLS: handshake failure


def _silent(_: socket.socket, over: threading.Event) -> None:
    over.wait()


def _deaf(_: socket.socket, over: threading.Event) -> None:
    """As silent, and reads nothing: what is sent piles up."""
    over.wait()


def _slowly(connection: socket.socket, over: threading.Event) -> None:
    """An answer that would be good, a byte a second."""
    for byte in _OK + b"Content-Length: 200\r\n\r\n" + b" " * 200:
        connection.send(bytes([byte]))
        if over.wait(1):
            return


def _slow_body(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(_OK + b"Content-Length: 2000\r\n\r\n")
    while not over.wait(0.2):
        connection.send(b" ")


def _endless_header(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(_OK + b"X-Long: ")
    while not over.wait(0.2):
        connection.send(b"x")


def _endless_headers(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(_OK)
    while not over.is_set():
        connection.sendall(b"X-More: x\r\n" * 100)


def _endless_body(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(_OK + b"\r\n")
    while not over.is_set():
        connection.sendall(b" " * BLOCK)


def _endless_continue(connection: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.2):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def _redirects(connection: socket.socket, _: threading.Event) -> None:
    """To itself, for ever."""
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{_name(connection)}/again\r\n"
    connection.sendall(head.encode() + b"Content-Length: 0\r\nConnection: close\r\n\r\n")


def _come_again(connection: socket.socket, _: threading.Event) -> None:
    """In an hour, it says."""
    head = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600\r\nContent-Length: 0\r\n"
    connection.sendall(head + b"Connection: close\r\n\r\n")


def _reset(connection: socket.socket, _: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _garbage(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(bytes(range(256)) * 4)


def _tls(connection: socket.socket, _: threading.Event) -> None:
    """What a port of TLS says to who speaks none."""
    connection.sendall(_ALERT)


WAYS: dict[str, Talk] = {
    "silent": _silent,
    "deaf": _deaf,
    "a byte a second": _slowly,
    "a slow body": _slow_body,
    "an endless header": _endless_header,
    "endless headers": _endless_headers,
    "an endless body": _endless_body,
    "endless continue": _endless_continue,
    "redirects": _redirects,
    "come again": _come_again,
    "reset": _reset,
    "garbage": _garbage,
    "tls": _tls,
}


@contextmanager
def dripping(way: str) -> Iterator[str]:
    """The address, HOST:PORT, of a server that behaves in this of WAYS with everybody."""
    over, talk = threading.Event(), WAYS[way]

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if talk is not _deaf:
                connection.recv(BLOCK)
            talk(connection, over)

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def accept() -> None:
            with suppress(OSError):  # the listener is closed
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=serve, args=[connection], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield _name(listener)
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)


class Relay:
    """Stands before the real server at HOST:PORT, until `silence()`: then both sides wait for an
    answer. Its own address is `address`."""

    def __init__(self, server: str) -> None:
        self._server, self._silent, self._over = server, threading.Event(), threading.Event()
        self.silence = self._silent.set

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = _name(self._listener)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                threading.Thread(target=self._between, args=[here], daemon=True).start()

    def _between(self, here: socket.socket) -> None:
        host, port = self._server.split(":")
        with here, socket.create_connection((host, int(port))) as there:
            back = threading.Thread(target=self._pass_on, args=[there, here], daemon=True)
            back.start()
            self._pass_on(here, there)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(BLOCK):
                if self._silent.is_set():
                    self._over.wait()
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _name(own: socket.socket) -> str:
    host, port = own.getsockname()
    return f"{host}:{port}"
