"""A process that loads Keras once, for all stages of a run, and forks their workers.

A pipeline command starts it beside the stages, and it ends when that command does, however that
comes. It is asked over a socket in a folder that only its user can enter, and loads nothing before,
unless it is told that it will be asked.
It forks only where it has one thread: what others were about would be missing in the child. Neither
TensorFlow nor JAX starts one when it is imported; those of OpenBLAS are its own affair, which ends
and starts them around a fork.
"""

import gc
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import forkserver, resource_tracker, spawn
from multiprocessing.util import _args_from_interpreter_flags  # type: ignore[attr-defined]
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple, NoReturn

from warmstart.runtime import alike, environment
from warmstart.runtime.alike import ADDRESS
from warmstart.runtime.forked import END
from warmstart.runtime.lifetime import end_with_writer

MOST_BYTES, MOST_FILES = 1 << 16, 250
"""Of a message: the longest that is taken."""
_SUMS = "scipy.special"
"""What scores are computed with."""
_SECONDS = 1.0
"""Within which threads end that a fork does not keep, and the server itself."""


@contextmanager
def serving(variables: Mapping[str, str] = os.environ, backend: str = "") -> Iterator[None]:
    """Have stages that start in the block find a server. Without one they do as well.

    Args:
        variables: the environment of the stages.
        backend: that of workers which will be wanted: it is loaded meanwhile. Empty: it may be that
            none are.
    """
    if sys.platform != "linux":
        yield
        return
    folder, before, server = mkdtemp(prefix="warmstart-"), os.environ.get(ADDRESS), None
    os.environ[ADDRESS] = f"{folder}/socket"
    try:
        with suppress(OSError):  # of a system with limits, which the stages meet, too
            server = _start(variables, backend)
        yield
    finally:
        del os.environ[ADDRESS]
        if before is not None:
            os.environ[ADDRESS] = before
        if server and server.stdin:
            server.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                server.wait(_SECONDS)
            server.kill()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _start(variables: Mapping[str, str], backend: str) -> "subprocess.Popen[bytes]":
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(os.environ[ADDRESS])
        listener.listen()  # who asks before it has started waits
        options = [*_args_from_interpreter_flags(), "-W", alike.QUIET]
        return subprocess.Popen(
            [sys.executable, *options, "-m", __name__, str(listener.fileno()), backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**variables, ADDRESS: os.environ[ADDRESS]},
            pass_fds=[listener.fileno()],
        )


class _Worker(NamedTuple):
    """A child: its number, and where its stage reads how it ended."""

    pid: int
    status: int


class Server:
    """Forks a worker for whoever asks, and says how it ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener, self._line = listener, ""
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)

    def serve(self) -> NoReturn:
        while True:
            for key, _ in self._selector.select():
                if key.data:
                    self._bury(key.fd, key.data)
                    continue
                with suppress(OSError, ValueError):  # of who ends while it asks
                    self._answer()

    def load(self, backend: str) -> None:
        """Be ready to fork workers for `backend`, and for no other from now on."""
        line = alike.line(backend)
        _load(backend)
        self._line = line  # as it was before

    def _answer(self) -> None:
        """Fork a worker where it would be as one that the stage starts; else say nothing."""
        with self._listener.accept()[0] as asked:
            asked.settimeout(_SECONDS)
            message, files, _, _ = socket.recv_fds(asked, MOST_BYTES, MOST_FILES)
        try:
            wanted = json.loads(message)
            if not self._line:
                self.load(wanted["backend"])
            if wanted["line"] != self._line or not _is_alone(0):
                return
            pid = os.fork()
            if not pid:
                self._work(wanted, files)
            status = os.dup(files[1])
            self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, _Worker(pid, status))
            with suppress(BrokenPipeError):  # nobody waits for it any more, and it will see it
                forkserver.write_signed(status, pid)
        finally:
            for file in files:
                os.close(file)

    def _work(self, wanted: dict[str, object], files: list[int]) -> NoReturn:
        """Be the worker."""
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            begin, _, group = files[0], files[1], int(str(wanted["group"]))
            for key in list(self._selector.get_map().values()):
                os.close(key.fd)
                if key.data:
                    os.close(key.data.status)
            self._selector.close()
            try:
                os.setpgid(0, group)
            except PermissionError:  # of another session
                os.setsid()
            for number, file in enumerate(files[3:6]):
                os.dup2(file, number)
            sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
            _be_told(wanted["told"])
            import numpy as np

            np.random.seed()  # as Python's own is, which a fork would share, too
            (
                resource_tracker._resource_tracker._fd,  # type: ignore[attr-defined]
                *forkserver._forkserver._inherited_fds,  # type: ignore[attr-defined]
            ) = files[2], *files[6:]
            for file in files[3:6]:
                os.close(file)
            code = spawn._main(begin, os.dup(begin))
        except EOFError:  # its stage has ended before it began
            pass
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _bury(self, ended: int, worker: _Worker) -> None:
        """Say with which code a worker has ended, and how much memory it took (KiB)."""
        _, status, usage = os.wait4(worker.pid, 0)
        self._selector.unregister(ended)
        os.close(ended)
        with suppress(BrokenPipeError):
            os.write(worker.status, END.pack(os.waitstatus_to_exitcode(status), usage.ru_maxrss))
        os.close(worker.status)


def _be_told(told: object) -> None:
    for name in alike.told():
        del os.environ[name]
    if isinstance(told, dict):
        os.environ |= told


def _load(backend: str) -> None:
    """Load what workers for `backend` load until their first piece of work is done."""
    from warmstart.runtime import processes

    processes.set_up(backend)
    for name in ("warmstart.training.worker", f"warmstart.training.backends.{backend}", _SUMS):
        import_module(name)
    gc.freeze()  # so that a child need not touch it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's, at threads, which is what this is about
        if not (child := os.fork()):
            os._exit(0)
    os.waitpid(child, 0)
    if not _is_alone(_SECONDS):
        sys.exit("a fork would lose threads")


def _is_alone(seconds: float) -> bool:
    """Whether this process has one thread, at once or within `seconds`."""
    until = time.monotonic() + seconds
    while len(list(Path("/proc/self/task").iterdir())) > 1:
        if time.monotonic() > until:
            return False
        time.sleep(0.001)
    return True


def main() -> NoReturn:
    """Serve until nobody holds our standard input any more."""
    folder, ours = Path(os.environ[ADDRESS]).parent, os.getpid()

    def end(*_: object) -> None:
        if os.getpid() == ours:  # not a child that was told so at once
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the affair of who has started us
    end_with_writer(0, by=signal.SIGTERM)
    server = Server(socket.socket(fileno=int(sys.argv[1])))
    if sys.argv[2] and not environment.gpus(sys.argv[2]):  # with them stages start their own
        server.load(sys.argv[2])
    server.serve()


if __name__ == "__main__":
    main()
