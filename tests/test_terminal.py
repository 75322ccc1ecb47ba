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
    rows = "".join(f"{n},{n % 7},{'x' if n % 2 else HOSTILE}\n" for n in range(60))
    text = f"n,size\x1b[31m,kind\n{rows}".replace("\x00", "")
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "warmstart", "describe", "table.csv", "--target", "kind"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.isprintable()
    assert r"received 'a\x1b]0;title\x07\x1b[2J\u202eb\x9bc'" in line


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_nowhere(closed: str, tmp_path: Path) -> None:
    """A file that is opened later must not become one of them."""
    script = (
        "import sys; from warmstart import terminal; terminal.prepare(); "
        f"file = open({str(tmp_path / 'kept')!r}, 'w'); sys.exit(file.fileno() < 3)"
    )
    command = ["bash", "-c", f'exec {sys.executable} -c "$0" {closed}', script]
    assert subprocess.run(command).returncode == 0
