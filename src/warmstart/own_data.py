"""Data of one's own named on the command line of make, as settings for `dvc exp run`.

    OWN_DATA=FILE OWN_TARGET=COLUMN OWN_NAME=NAME python -m warmstart.own_data COMMAND …

runs the command with the settings behind it. They come by the environment: what is in a path or a
name is no matter of make's, nor of a shell's.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from warmstart.config.data import KNOWN_CLASSES


def name_of(path: Path) -> str:
    """What the data at `path` are called if nobody says: never as data that everybody has."""
    return "mine" if path.stem in KNOWN_CLASSES or not path.stem else path.stem


def settings(given: Mapping[str, str]) -> Iterator[str]:
    """Overrides of params.yaml, as DVC's `--set-param` takes them."""
    if path := given.get("OWN_DATA"):
        yield f"data.path={_quoted(path)}"
        yield f"data.name={_quoted(given.get('OWN_NAME') or name_of(Path(path)))}"
        yield "transfer.task_b=auto"
        yield "transfer.label_counts=[all]"
    if target := given.get("OWN_TARGET"):
        yield f"data.target={_quoted(target)}"


def _quoted(text: str) -> str:
    """`text` in the grammar of Hydra's overrides, in which DVC reads them: a backslash stands for
    itself, but before a quote and before what would be put in from elsewhere."""
    text = re.sub(r'(\\+)(?="|\$\{|$)', r"\1\1", text)
    text = text.replace('"', r"\"").replace("${", r"\${")
    return f'"{text}"'


if __name__ == "__main__":
    more = [word for each in settings(os.environ) for word in ("--set-param", each)]
    os.execvp(sys.argv[1], [*sys.argv[1:], *more])
