"""`make book`: the chapter's experiments on Fashion-MNIST, over seeds, beside the book's numbers.

The learning rates are the book's and not tuned: what is repeated is what it ran. The last part, on
what the chapter says of convolutional networks, has no number of its own and tunes.
benchmarks/README.md says which notebook each number is from.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chapter import kinds, networks, transfer
from chapter.data import Images
from chapter.rows import QUICK, Row, Scale, markdown
from measuring import machine
from warmstart.data import fashion_mnist
from warmstart.errors import InputError
from warmstart.files import read_json, replacing, write_json

PARTS = ("networks", "transfer", "kinds")
RESULTS = Path(__file__).parent / "results" / "book.json"


def main(argv: Sequence[str]) -> int:
    options = _parse(argv)
    try:
        raw = fashion_mnist.read(Path("data/raw"))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    began = time.perf_counter()
    parts = [options.only] if options.only else PARTS
    rows = list(repeat(raw.x, raw.y, QUICK if options.quick else Scale(), parts))
    seconds = time.perf_counter() - began
    print(f"\n{markdown(rows)}\n\n{seconds / 60:.0f} minutes")
    output = options.output or (None if options.quick else RESULTS)
    if output:
        made = {
            **machine.made("benchmarks/book.py", *argv),
            "seconds": seconds,
        }
        content = made | {"rows": [row.to_json() for row in rows]}
        if options.only and output.exists():
            content, rows = _beside(read_json(output), made, rows)
        write_json(output, content)
        with replacing(output.with_suffix(".md")) as unfinished:
            unfinished.write_text(markdown(rows) + "\n", encoding="utf-8")
        print(f"written: {output} and {output.with_suffix('.md').name}")
    return 0


def _beside(
    kept: dict[str, Any], made: Mapping[str, Any], rows: Sequence[Row]
) -> tuple[dict[str, Any], list[Row]]:
    """What was `kept` of other experiments beside `rows`, and how those were `made`."""
    new = dict.fromkeys(row.experiment for row in rows)
    others = [row for row in kept["rows"] if row["experiment"] not in new]
    parts = {name: part for name, part in kept.get("parts", {}).items() if name not in new}
    content = kept | {
        "parts": parts | dict.fromkeys(new, made),
        "rows": others + [row.to_json() for row in rows],
    }
    return content, [*map(Row.from_json, others), *rows]


def repeat(
    images: np.ndarray, labels: np.ndarray, scale: Scale, parts: Sequence[str] = PARTS
) -> Iterator[Row]:
    """All rows of `parts`, from `(n, 28, 28)` uint8 and `(n,)`."""
    known = Images.of(images, labels)
    for question in networks.QUESTIONS if "networks" in parts else ():
        with tempfile.TemporaryDirectory() as folder:
            yield from networks.repeat(question, known, scale, Path(folder))
    for experiment in transfer.TRANSFERS if "transfer" in parts else ():
        with tempfile.TemporaryDirectory() as folder:
            yield from transfer.repeat(experiment, known, scale, Path(folder))
    if "kinds" in parts:
        with tempfile.TemporaryDirectory() as folder:
            yield from kinds.repeat(known, scale, Path(folder))


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="book.py", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few samples and seeds: does it run?")
    parser.add_argument("--only", choices=PARTS, help="that part; the kept rows of others stay")
    parser.add_argument("--output", type=Path, help="also of a quick run")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
