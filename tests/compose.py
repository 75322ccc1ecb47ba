"""compose.yaml as Docker Compose reads it, and its services as processes of this machine."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])((?:[^{}]|\$\{[^{}]*\})*))?\}")


class MissingError(Exception):
    """A variable that has to be set."""


def filled_in(text: str, variables: Mapping[str, str]) -> str:
    """`text` with `${NAME}`, `${NAME:-default}` and `${NAME:?reason}` replaced.

    Raises:
        MissingError: as Compose ends, where a variable with a reason is empty or not set.
    """

    def value(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if given := variables.get(name):
            return given
        if kind == "?":
            raise MissingError(f"required variable {name} is missing a value: {rest}")
        return filled_in(rest or "", variables)

    return _VARIABLE.sub(value, text)


def read() -> dict[str, Any]:
    """The file, with its variables as they are written."""
    return YAML(typ="safe", pure=True).load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def each(node: Any, change: Callable[[str], str]) -> Any:
    """`node` with every text in it changed."""
    if isinstance(node, dict):
        return {key: each(value, change) for key, value in node.items()}
    if isinstance(node, list):
        return [each(value, change) for value in node]
    return change(node) if isinstance(node, str) else node


def image_variables() -> dict[str, str]:
    """What the Dockerfile sets in the environment, but for PATH and LOCK."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"(?m)^ENV (PATH=.*)$", text)
    pairs = dict(pair.split("=", 1) for pair in line.split())
    pairs.pop("PATH")
    return pairs


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, kw_only=True)
class Here:
    """Where the services of compose.yaml are on this machine."""

    variables: Mapping[str, str]
    home: Path
    """In the place of /home/warmstart."""
    database: int
    """Ports of 127.0.0.1, here and below."""
    mlflow: int
    prefect: int

    def translated(self, text: str) -> str:
        """`text` of compose.yaml with the addresses and paths of this machine."""
        for old, new in {
            "@database/": f"@127.0.0.1:{self.database}/",
            "http://mlflow:5000": f"http://127.0.0.1:{self.mlflow}",
            "http://prefect:4200": f"http://127.0.0.1:{self.prefect}",
            "0.0.0.0": "127.0.0.1",
            "/home/warmstart": str(self.home),
            "5000": str(self.mlflow),
            "4200": str(self.prefect),
        }.items():
            text = text.replace(old, new)
        return text

    def everything(self) -> dict[str, Any]:
        """The file, filled in and translated."""
        return each(read(), lambda text: self.translated(filled_in(text, self.variables)))

    @contextmanager
    def running(self, name: str, place: Path, **more: str) -> Iterator[Path]:
        """The service `name` as a process in `place` until the block ends, healthy where it says
        how to know; yields its log.

        Args:
            more: environment variables besides those of the file.
        """
        service, log = self.everything()["services"][name], self.home / f"{name}.log"
        inherited = {
            k: v for k, v in os.environ.items() if "PREFECT" not in k and "MLFLOW" not in k
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = inherited | {"PATH": path} | image_variables() | service["environment"] | more
        command = [str(word) for word in service["command"]]
        with log.open("w") as out:
            process = subprocess.Popen(
                command, cwd=place, env=env, stdout=out, stderr=out, start_new_session=True
            )
        try:
            if check := service.get("healthcheck"):
                kind, *test = check["test"]
                assert kind == "CMD"
                end = time.monotonic() + 180
                while subprocess.run(test, env=env, stderr=subprocess.DEVNULL).returncode:
                    assert process.poll() is None, log.read_text()
                    assert time.monotonic() < end, log.read_text()
            yield log
        finally:
            os.killpg(process.pid, 15)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait(30)
