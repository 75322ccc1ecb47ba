"""In which encoding a text file is written."""

import codecs
import re
from pathlib import Path

from warmstart.data.readers import packed
from warmstart.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS = ["cp1252", "cp1251", "cp1253", "cp932", "cp949", "gb18030", "big5", "euc_jp"]
"""What text in Europe and East Asia that is not Unicode is nearly always written in."""
_SIGNS = b"\x80\x91\x92\x93\x94\x96\x97" + bytes(range(0xA0, 0xC0))
"""Of cp1252: €, quotation marks, dashes; degrees, fractions and the like."""
_WORDS = 2000  # beyond ASCII that a guess is made from


def of(path: Path) -> str:
    """The encoding of the text at `path`, plain or gzip, which is read to its end: by its byte
    order mark, UTF-8 where it is that, else the likeliest.

    Raises:
        InputError: if it is empty, cannot be read, is larger than may be, or is no text.
    """
    start, decoder, utf8, zeros = b"", codecs.getincrementaldecoder("utf-8")(), True, False
    for chunk in packed.chunks(path):
        start = start or chunk
        zeros = zeros or b"\0" in chunk
        if utf8 and not chunk.isascii():
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                utf8 = False
    if not start.strip(b" \t\r\n\0"):
        raise InputError(f"{path}: expected a table, received an empty file; fetch it again")
    if marked := next((name for mark, name in _MARKS if start.startswith(mark)), None):
        return marked
    if zeros:
        return _with_zeros(start, path)
    return "utf-8" if utf8 else _guess(path)


def _with_zeros(start: bytes, path: Path) -> str:
    """UTF-16 without its mark: every other byte of Western text is zero."""
    if start[1::2].count(0) > len(start) // 4:
        return "utf-16-le"
    if start[::2].count(0) > len(start) // 4:
        return "utf-16-be"
    raise InputError(
        f"{path}: expected text, received bytes that are none (some are zero); save it as CSV in "
        "UTF-8, or give it the suffix of what it is"
    )


def _guess(path: Path) -> str:
    words: dict[bytes, None] = {}
    for chunk in packed.chunks(path):
        pieces = re.split(rb"[\s,;\"0-9.]+", chunk)
        words |= dict.fromkeys(word for word in pieces if not word.isascii())
        if len(words) > _WORDS:
            break
    sample = b" ".join(words)
    runs = re.findall(rb"[\x80-\xff]+", sample)
    strange = [run for run in runs if not _is_utf8(run)]
    if len(strange) * 2 < len(runs):
        raise InputError(
            f"{path}: expected text in UTF-8, which most of it is, received bytes that are none "
            f"({strange[0].hex(' ') if strange else 'further down'}); save it in UTF-8 throughout"
        )
    if sum(map(_is_western, words)) * 2 >= len(words):
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=_OTHERS).best()
    if best is None:
        raise InputError(
            f"{path}: expected text in UTF-8 or a common encoding of Europe or East Asia, received "
            "another; save it in UTF-8"
        )
    return best.encoding


def _is_western(word: bytes) -> bool:
    """Whether accents stand alone between plain letters, or a sign alone in the word."""
    runs = re.findall(rb"[\x80-\xff]+", word)
    alone = [run[0] for run in runs if len(run) == 1]
    return any(byte >= 0xC0 for byte in alone) or (
        len(runs) == 1 and any(byte in _SIGNS for byte in alone)
    )


def _is_utf8(run: bytes) -> bool:
    try:
        run.decode()
    except UnicodeDecodeError:
        return False
    return True
