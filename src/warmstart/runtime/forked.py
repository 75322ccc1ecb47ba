"""Workers that the server of a run forks for a stage, `fork_server`, instead of the stage's own."""

import io
import json
import multiprocessing.context
import os
import select
import socket
import struct
import threading
from contextlib import ExitStack
from multiprocessing import forkserver, popen_forkserver, reduction, resource_tracker, spawn, util
from multiprocessing.process import BaseProcess
from signal import SIGKILL

from warmstart.runtime import alike

END = struct.Struct("qq")
"""What the server says at the end of a worker, at once: its code, and its memory in KiB."""
_SECONDS = 60.0
"""The server is waited for, which loads Keras when it is first asked."""


class Refused(Exception):  # noqa: N818  (it is an answer)
    """There is no server, or none that gives a worker which is as one of our own."""


class Popen(popen_forkserver.Popen):
    """A worker process that the server forks.

    Raises:
        Refused: before there is one.
    """

    _fds: list[int]
    memory: int = 0
    """What it took at most, in KiB, once it has ended."""

    def __init__(self, process: BaseProcess, backend: str) -> None:
        self._backend, self._told = backend, threading.Lock()
        super().__init__(process)

    def _launch(self, process: BaseProcess) -> None:
        """As the one that is overridden, with our server."""
        data, about = io.BytesIO(), spawn.get_preparation_data(process.name)
        multiprocessing.context.set_spawning_popen(self)
        try:
            reduction.dump(about, data)
            reduction.dump(process, data)
        finally:
            multiprocessing.context.set_spawning_popen(None)
        self.sentinel, begin, self.pid = _ask(self._backend, self._fds)
        # the worker ends when nobody holds a writing end any more
        self.finalizer = util.Finalize(self, _close, (os.dup(begin), self.sentinel))
        with os.fdopen(begin, "wb") as file:
            file.write(data.getbuffer())

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        if self.returncode is not None:
            return self.returncode
        if not select.select([self.sentinel], [], [], 0 if flag == os.WNOHANG else None)[0]:
            return None
        with self._told:  # the pool and its user ask from threads of their own
            if self.returncode is None:
                # where nothing is said its server has ended, too: such an end comes from outside
                said = os.read(self.sentinel, END.size)
                code, self.memory = END.unpack(said) if said else (-SIGKILL, 0)
                self.returncode = code
            return self.returncode


def _close(*files: int) -> None:
    for file in files:
        os.close(file)


def _ask(backend: str, fds: list[int]) -> tuple[int, int, int]:
    """A new worker: where to read how it ended, where to write what it is to do, and its number."""
    if not (address := os.environ.get(alike.ADDRESS)):
        raise Refused
    try:
        line = alike.line(backend)
    except OSError as error:  # a system that does not say all of it
        raise Refused from error
    wanted = {"backend": backend, "line": line, "told": alike.told(), "group": os.getpgrp()}
    with ExitStack() as ours, ExitStack() as theirs:
        ended, into = os.pipe()
        ours.callback(os.close, ended)
        theirs.callback(os.close, into)
        out, begin = os.pipe()
        ours.callback(os.close, begin)
        theirs.callback(os.close, out)
        files = [out, into, resource_tracker.getfd() or 0, 0, 1, 2, *fds]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
                server.settimeout(_SECONDS)
                server.connect(address)
                socket.send_fds(server, [json.dumps(wanted).encode()], files)
            theirs.close()
            if not select.select([ended], [], [], _SECONDS)[0]:
                raise Refused
            pid = forkserver.read_signed(ended)
        except (OSError, EOFError) as error:
            raise Refused from error
        ours.pop_all()
        return ended, begin, pid
