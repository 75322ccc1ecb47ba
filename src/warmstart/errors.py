"""The one exception that means: the user's input, not our code, has to change."""

import unicodedata

MOST_CHARACTERS, MOST_PROBLEMS = 1_000, 50
"""Of a line, which is shortened in its middle; and lines, the last of which says how many more."""
# a bidirectional override turns what stands beside it
_TURNS = {"\u061c", *map(chr, range(0x200E, 0x2010)), *map(chr, range(0x202A, 0x202F))}
_TURNS |= set(map(chr, range(0x2066, 0x206A)))


class InputError(Exception):
    """One or more problems with the user's input, one line each.

    Every line says where, what was expected, what was received and what to do. The command line
    prints the lines and exits with status 2. Whatever a file's bytes or names put into a line, it
    stays one, shows as it is, and does not fill the screen.
    """

    def __init__(self, *problems: str) -> None:
        shown = MOST_PROBLEMS - 1 if len(problems) > MOST_PROBLEMS else MOST_PROBLEMS
        lines = [_line(problem) for problem in problems[:shown]]
        if more := len(problems) - len(lines):
            lines.append(f"and {more:,} problems more; mend these first")
        super().__init__("\n".join(lines))
        self.problems = tuple(lines)

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        return type(self), self.problems  # as it comes from a worker


def visible(text: str) -> str:
    """`text` with each character that shows nowhere or moves others as its code, `\\u202e`. Spaces,
    and what joins letters, stay."""
    return "".join(f"\\u{ord(letter):04x}" if _is_control(letter) else letter for letter in text)


def _is_control(letter: str) -> bool:
    return letter in _TURNS or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def _line(problem: str) -> str:
    if len(problem) > MOST_CHARACTERS:  # what to do stands at the end
        problem = f"{problem[: MOST_CHARACTERS - 300]} … {problem[-250:]}"
    return visible(problem)
