"""Break the code on purpose, one place at a time, and see a test turn red.

    python tests/mutations.py [NAME ...]

The list is mutations.yaml. Everything happens in a copy of the tracked files.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_suffix(".yaml")
GREEN, RED = 0, 1
"""Exit codes of pytest; all others mean that it could not run the tests."""


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """In `file` the text `old`, which is there once, becomes `new`, and `test` turns red."""

    name: str
    file: str
    """From the root of the repository."""
    old: str
    new: str
    test: str
    """As pytest names it."""

    @contextmanager
    def made_in(self, folder: Path) -> Iterator[None]:
        """The copy of the repository in `folder` is broken while the block lasts.

        Raises:
            ValueError: if the text to replace is not there exactly once.
        """
        path = folder / self.file
        text = path.read_text(encoding="utf-8")
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: expected {self.old!r} once in {path}, found {count}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(text, encoding="utf-8")


def mutations() -> dict[str, Mutation]:
    """All of the list, by name."""
    content = YAML(typ="safe", pure=True).load(LIST.read_text(encoding="utf-8"))
    return {name: Mutation(name=name, **entry) for name, entry in content.items()}


def copy(folder: Path) -> None:
    """The repository's tracked files, as they are in the working tree, into `folder`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def run(folder: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Exit code and output of `tests` on the code in `folder`, in one process."""
    # no bytecode: that of the text before could be taken for that of the text after
    own = {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """1 if a mutation survives, else 0."""
    known = mutations()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutations (default: all)")
    names = parser.parse_args(arguments).names or list(known)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"expected names of {LIST.name}, received {', '.join(unknown)}")
    chosen = [known[name] for name in names]
    with TemporaryDirectory(prefix="mutations-") as name:
        folder = Path(name).resolve()
        copy(folder)
        tests = sorted({mutation.test for mutation in chosen})
        code, output = run(folder, tests)
        if code != GREEN:
            print(output)
            print(f"expected {len(tests)} tests green before anything is broken, received red")
            return 1
        survived = 0
        width = max(map(len, names))
        for mutation in chosen:
            with mutation.made_in(folder):
                code, output = run(folder, [mutation.test])
            if code not in (GREEN, RED):
                print(output)
                raise RuntimeError(f"{mutation.name}: pytest ended with {code}")
            survived += code == GREEN
            verdict = "red" if code == RED else "SURVIVED"
            print(f"{mutation.name:{width}} -> {mutation.test} -> {verdict}", flush=True)
    print(f"{len(chosen)} mutations, {survived} survived")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
