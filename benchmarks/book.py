"""`make book`: the chapter's experiments on Fashion-MNIST, over seeds, beside the book's numbers.

The learning rates are the book's and not tuned: what is repeated is what it ran.
benchmarks/README.md says which notebook each number is from.
"""

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from chapter import networks, transfer
from chapter.data import Images
from chapter.rows import QUICK, Row, Scale, markdown
from measuring import machine
from warmstart.data import fashion_mnist
from warmstart.errors import InputError
from warmstart.files import replacing, write_json

RESULTS = Path(__file__).parent / "results" / "book.json"


def main(argv: Sequence[str]) -> int:
    options = _parse(argv)
    try:
        images, labels, _ = fashion_mnist.read(Path("data/raw"))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    began = time.perf_counter()
    rows = list(repeat(images, labels, QUICK if options.quick else Scale()))
    seconds = time.perf_counter() - began
    print(f"\n{markdown(rows)}\n\n{seconds / 60:.0f} minutes")
    output = options.output or (None if options.quick else RESULTS)
    if output:
        content = {
            "command": shlex.join(["python", "benchmarks/book.py", *argv]),
            "machine": machine.describe(),
            "versions": machine.versions(),
            "seconds": seconds,
            "rows": [row.to_json() for row in rows],
        }
        write_json(output, content)
        with replacing(output.with_suffix(".md")) as unfinished:
            unfinished.write_text(markdown(rows) + "\n", encoding="utf-8")
        print(f"written: {output} and {output.with_suffix('.md').name}")
    return 0


def repeat(images: np.ndarray, labels: np.ndarray, scale: Scale) -> Iterator[Row]:
    """All rows, from `(n, 28, 28)` uint8 and `(n,)`."""
    known = Images.of(images, labels)
    for question in networks.QUESTIONS:
        with tempfile.TemporaryDirectory() as folder:
            yield from networks.repeat(question, known, scale, Path(folder))
    for experiment in transfer.TRANSFERS:
        with tempfile.TemporaryDirectory() as folder:
            yield from transfer.repeat(experiment, known, scale, Path(folder))


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="book.py", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few samples and seeds: does it run?")
    parser.add_argument("--output", type=Path, help="also of a quick run")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
