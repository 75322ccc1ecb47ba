"""What happens to a file: cut off, emptied, one bit another one."""

from collections.abc import Iterator
from pathlib import Path

FLIPS = (0.0, 0.03, 0.2, 0.45, 0.7, 0.9, 0.98)
"""Where in a file a bit is flipped, as shares of its length."""


def flipped(content: bytes, place: int, bit: int) -> bytes:
    """`content` with that bit of the byte at `place` another one."""
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def damages(content: bytes, flips: tuple[float, ...] = FLIPS) -> Iterator[tuple[str, bytes]]:
    """Name and content of what may become of `content`, which is not empty."""
    for length in dict.fromkeys((0, 1, len(content) // 2, len(content) - 1)):
        if length < len(content):
            yield f"cut off after {length} bytes", content[:length]
    for share in flips:
        place = int(share * len(content))
        yield f"bit {place % 8} of byte {place} flipped", flipped(content, place, place % 8)


def damaging(path: Path, flips: tuple[float, ...] = FLIPS) -> Iterator[str]:
    """Damage `path` in one way after the other, whole again in the end -> name of each."""
    whole = path.read_bytes()
    try:
        for name, content in damages(whole, flips):
            path.write_bytes(content)
            yield name
    finally:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole)


def files(*folders: Path) -> list[Path]:
    """All that lies below, in order, but empty files."""
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.stat().st_size
    )
