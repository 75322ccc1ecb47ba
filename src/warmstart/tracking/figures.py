"""The pictures of a study as files of an MLflow run: SVG, and one page where they tell values."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from warmstart.analysis.figures.scripts import page
from warmstart.files import intact

PAGE = "study.html"


def digest(folder: Path) -> str:
    """Of the pictures in `folder`; empty: there is none."""
    found = hashlib.sha256()
    for path in _specifications(folder):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest() if next(_specifications(folder), None) else ""


def draw(folder: Path, into: Path) -> None:
    """Write the pictures, `KIND.json` (Vega-Lite with its data) and `KIND.svg` in `folder`, as SVG
    and as a page that loads nothing from elsewhere."""
    drawn = []
    for path in _specifications(folder):
        with intact(path):
            text = path.read_text(encoding="utf-8")
            drawn.append((path.stem, str(json.loads(text).get("description", path.stem)), text))
        svg = path.with_suffix(".svg")
        if svg.exists():
            shutil.copy(svg, into / svg.name)
    (into / PAGE).write_text(page("Figures", drawn), encoding="utf-8")


def _specifications(folder: Path) -> Iterator[Path]:
    """The ranking first."""
    yield from sorted(folder.glob("*.json"), key=lambda path: (path.stem != "ranking", path.stem))
