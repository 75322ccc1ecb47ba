"""What reaches a terminal commands it nothing."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from warmstart.terminal import Shown

HOSTILE = "a\x1b]0;title\x07\x1b[2J\u202eb\x00\x9bc"


class Terminal(BytesIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("kind", "colour"), [(Terminal, "\x1b[1;31m"), (BytesIO, r"\u001b[1;31m")])
def test_a_stream_lets_through_lines_bars_and_colours_alone(
    kind: type[BytesIO], colour: str
) -> None:
    raw = kind()
    stream = Shown(raw, "utf-8", "backslashreplace", newline="\n")
    print(f"\x1b[1;31m{HOSTILE}", "é 한\t1\r", file=stream, flush=True)
    assert raw.getvalue().decode() == (
        colour + r"a\u001b]0;title\u0007\u001b[2J\u202eb\u0000\u009bc" + " é 한\t1\r\n"
    )


def test_names_in_a_table_show_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((Path(__file__).parent / "params.yaml").read_bytes())
    rows = "".join(f"{n},{n % 7},{'xy'[n % 2]}\n" for n in range(60))
    text = f"n,size\x1b[31m{HOSTILE},kind\n{rows}".replace("\x00", "")
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "warmstart", "describe", "table.csv", "--target", "kind"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not [c for c in done.stdout if c != "\n" and not c.isprintable()]
    assert r"size\u001b[31ma\u001b]0;title\u0007\u001b[2J\u202eb\u009bc" in done.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_nowhere(closed: str, tmp_path: Path) -> None:
    """A file that is opened later must not become one of them."""
    script = (
        "import sys; from warmstart import terminal; terminal.prepare(); "
        f"file = open({str(tmp_path / 'kept')!r}, 'w'); sys.exit(file.fileno() < 3)"
    )
    command = ["bash", "-c", f'exec {sys.executable} -c "$0" {closed}', script]
    assert subprocess.run(command).returncode == 0


def test_what_python_writes_at_once_is_written_at_once() -> None:
    """`python -u`, as in containers and stages of a flow; and its other name for a stream."""
    script = (
        "import os, sys; from warmstart import terminal; terminal.prepare(); "
        "print('a part', end=''); sys.__stderr__.write('said'); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-u", "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("a part", "said")
