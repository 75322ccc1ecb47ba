"""Inputs that nobody should send: parameter files and data of every kind, mutated by a seed, and
what the command line makes of them.

    python tests/mutated_inputs.py [COUNT [FIRST]]

The same seed gives the same bytes. What is packed is mutated as it lies and, anew packed, inside:
else nothing would come past the checksums.
"""

import gzip
import io
import json
import random
import re
import struct
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from in_a_child import Answer, answer
from nasty_values import BYTES, SNIPPETS
from original_inputs import originals

import parameters

PARAMS_SHARE = 0.4
"""Of all mutants; the rest are data."""
_HERE = "__here__"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """An input, and the command that reads it."""

    seed: int
    kind: str
    how: str
    """What was done to it."""
    files: dict[str, bytes] = field(repr=False)
    """By their paths in the folder where the command is called."""
    command: tuple[str, ...]

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    def answered(self) -> Answer:
        """What the command line makes of it, in a folder of its own."""
        with TemporaryDirectory(prefix="mutant-") as name:
            self.write(Path(name))
            return answer(self.command, Path(name))


def mutant(seed: int) -> Mutant:
    """The mutant of that seed."""
    draw = random.Random(seed)
    if draw.random() < PARAMS_SHARE:
        how, content = _parameters(draw)
        command = ("check", "--params", "params.yaml")
        files = {"params.yaml": content}
        return Mutant(seed=seed, kind="params", how=how, files=files, command=command)
    kind = draw.choice([kind for kind in originals() if kind != "params"])
    files = dict(originals()[kind])
    name = next(iter(files))
    how, files[name] = _packed(draw, name, files[name])
    files["params.yaml"] = originals()["params"]["params.yaml"]
    path = name.partition("/")[0]
    target = ("--target", "y") if kind in ("csv", "csv.gz", "tsv", "arff") else ()
    target = ("--target", "y") if kind in ("parquet", "feather") else target
    return Mutant(seed=seed, kind=kind, how=how, files=files, command=("describe", path, *target))


def _parameters(draw: random.Random) -> tuple[str, bytes]:
    """A parameter file, mutated as bytes or as the tree that it holds."""
    text = originals()["params"]["params.yaml"]
    if draw.random() < 0.3:
        return _mutated(draw, text)
    content = parameters.content()
    snippet = draw.choice(SNIPPETS)
    done = [_change_tree(draw, content) for _ in range(draw.choice([1, 1, 1, 2, 5]))]
    flow = json.dumps(content, ensure_ascii=draw.random() < 0.5, indent=draw.choice([None, 1]))
    return ", ".join(done), flow.replace(f'"{_HERE}"', snippet).encode("utf-8", "surrogatepass")


def _change_tree(draw: random.Random, content: dict[str, Any]) -> str:
    """Change one place of `content` -> what was done."""
    places = [*_places(content)]
    holder, key = draw.choice(places)
    value = holder[key]
    how = draw.choice(["replace", "replace", "nest", "delete", "repeat", "rename", "scale", "move"])
    if how == "delete":
        del holder[key]
    elif how == "nest":
        holder[key] = draw.choice([[value], {"x": value}, [[value]] * 50])
    elif how == "repeat" and isinstance(value, list):
        holder[key] = value * draw.choice([2, 1000])
    elif how == "rename" and isinstance(holder, dict):
        holder[draw.choice([_HERE, "", "x" * 5_000, "name", f"{key} "])] = holder.pop(key)
    elif how == "scale" and isinstance(value, int | float):
        holder[key] = value * draw.choice([-1, 0, 1e300, 10**12, 10**30, 0.5])
    elif how == "move":
        other, place = draw.choice(places)
        holder[key] = json.loads(json.dumps(other[place])) if place in [*_keys(other)] else None
    else:
        holder[key] = _HERE
    return f"{how} {key}"


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in `content`: what holds it, and its key there."""
    for key in _keys(content):
        yield content, key
        yield from _places(content[key])


def _keys(content: Any) -> Iterable[Any]:
    if isinstance(content, dict):
        return list(content)
    return range(len(content)) if isinstance(content, list) else ()


def _packed(draw: random.Random, name: str, content: bytes) -> tuple[str, bytes]:
    """A file mutated as it lies, or what it packs."""
    inside = draw.random() < 0.6
    how, made = _mutated(draw, content)
    if not inside:
        return how, made
    if name.endswith(".gz"):
        how, made = _mutated(draw, gzip.decompress(content))
        return f"{how} in gzip", gzip.compress(made, mtime=0)
    if name.endswith(".npz"):
        return _in_zip(draw, content)
    return _in_png(draw, content) if name.endswith(".png") else (how, made)


def _in_zip(draw: random.Random, content: bytes) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        members = old.infolist()
        chosen = draw.choice(members)
        for member in members:
            inner = old.read(member)
            if member is chosen:
                how, inner = draw.choice([_mutated, _npy_header])(draw, inner)
            undated = zipfile.ZipInfo(member.filename)  # else it would hold the time
            new.writestr(undated, inner, member.compress_type)
    return f"{how} in {chosen.filename}", buffer.getvalue()


_DTYPES = [
    "|O", "<f8", ">i2", "<c16", "<M8[s]", "|S0", "<U9999999", "|V8", "<f2", "|b1", "[('a', '<f8')]",
]  # fmt: skip
_SHAPES = [
    f"({10**30},)", "(-1,)", "(0,)", "()", f"({2**62}, 4)", f"({2**32}, {2**32})", "(60, 16, 1.5)",
    f"({', '.join('1' * 70)},)", "(60, True)", "None", f"{'(' * 300}1{')' * 300}", f"{'-' * 5000}1",
]  # fmt: skip


def _npy_header(draw: random.Random, content: bytes) -> tuple[str, bytes]:
    """An array whose header says something else."""
    length = struct.unpack("<H", content[8:10])[0]
    header = content[10 : 10 + length].decode()
    if draw.random() < 0.5:
        made = draw.choice(_DTYPES)
        made = made if made.startswith("[") else repr(made)
        header = re.sub(r"'descr': '[^']*'", f"'descr': {made}", header)
    else:
        header = re.sub(r"'shape': \([^)]*\)", f"'shape': {draw.choice(_SHAPES)}", header)
    own = header.encode()
    return "header", content[:8] + struct.pack("<H", len(own)) + own + content[10 + length :]


def _in_png(draw: random.Random, content: bytes) -> tuple[str, bytes]:
    """A chunk of a PNG, with its checksum right again; a header may promise any size."""
    chunks, place = [], 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4])
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    chosen = draw.randrange(len(chunks))
    kind, data = chunks[chosen]
    if kind == b"IHDR" and draw.random() < 0.5:
        how, data = (
            "size",
            struct.pack(">II", *draw.choices([0, 1, 10**4, 10**5, 2**31 - 1], k=2)) + data[8:],
        )
    elif kind == b"IDAT" and draw.random() < 0.5:
        how, inner = _mutated(draw, zlib.decompress(data))
        data = zlib.compress(inner)
    else:
        how, data = _mutated(draw, data)
    chunks[chosen] = (kind, data)
    made = [
        len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)
        for kind, data in chunks
    ]
    return f"{how} in {kind.decode()}", content[:8] + b"".join(made)


def _mutated(draw: random.Random, content: bytes) -> tuple[str, bytes]:
    """`content` changed in one to five places -> how, and what it is then."""
    chosen = draw.choices(list(_WAYS), k=draw.choice([1, 1, 1, 2, 5]))
    for way in chosen:
        if content:
            content = _WAYS[way](draw, content)
    return "+".join(chosen), content


def _slice(draw: random.Random, content: bytes) -> tuple[int, int]:
    start = draw.randrange(len(content))
    return start, min(len(content), start + draw.choice([1, 4, 16, 200, len(content)]))


def _put(content: bytes, start: int, end: int, new: bytes) -> bytes:
    return content[:start] + new + content[end:]


def _flip(draw: random.Random, content: bytes) -> bytes:
    start = draw.randrange(len(content))
    return _put(content, start, start + 1, bytes([content[start] ^ 1 << draw.randrange(8)]))


def _cut(draw: random.Random, content: bytes) -> bytes:
    return content[: draw.randrange(len(content))]


def _remove(draw: random.Random, content: bytes) -> bytes:
    return _put(content, *_slice(draw, content), b"")


def _double(draw: random.Random, content: bytes) -> bytes:
    start, end = _slice(draw, content)
    return _put(content, end, end, content[start:end] * draw.choice([1, 1, 50]))


def _splice(draw: random.Random, content: bytes) -> bytes:
    other = next(iter(draw.choice([*originals().values()]).values()))
    start, end = _slice(draw, other)
    return _put(content, *_slice(draw, content), other[start:end])


def _nasty(draw: random.Random, content: bytes) -> bytes:
    start, end = _slice(draw, content)
    return _put(content, start, draw.choice([start, end]), draw.choice(BYTES))


def _number(draw: random.Random, content: bytes) -> bytes:
    """A word that may be a length becomes an extreme one."""
    start, size = draw.randrange(len(content)), draw.choice([2, 4, 8])
    value = draw.choice([0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1)])
    return _put(content, start, start + size, value.to_bytes(size, draw.choice(["little", "big"])))


_WAYS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "flip": _flip,
    "cut": _cut,
    "remove": _remove,
    "double": _double,
    "splice": _splice,
    "nasty": _nasty,
    "number": _number,
}


def main(count: int = 5_000, first: int = 0) -> int:
    """Run a campaign and print every mutant that is answered wrongly."""
    faults, codes, slowest, largest = Counter[str](), Counter[Any](), 0.0, 0.0
    for seed in range(first, first + count):
        made = mutant(seed)
        came = made.answered()
        codes[came.code] += 1
        slowest, largest = max(slowest, came.seconds), max(largest, came.megabytes)
        if came.fault:
            faults[came.fault] += 1
            took = f"{came.seconds:.1f} s, {came.megabytes:.0f} MB"
            said = came.said.rstrip().rpartition("\n")[2][:200]
            print(f"{seed}: {made.kind}: {made.how}: {came.fault}: {took}: {said!r}", flush=True)
    print(
        f"{count} mutants, exit codes {dict(codes)}, faults {dict(faults)}, "
        f"slowest {slowest:.1f} s, largest {largest:.0f} MB"
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
