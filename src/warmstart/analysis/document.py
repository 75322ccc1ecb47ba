"""A page as a sequence of blocks, each of them written as HTML and as Markdown.

A text is what it says: names that people write never become markup. `strong`, `mono` and `joined`
make words that stand out.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple, TypeAlias

from warmstart.analysis.style import DARK, LIGHT, variable, variables
from warmstart.config.names import visible


class Block(NamedTuple):
    """Words or a part of a page in both forms."""

    html: str
    markdown: str


Text: TypeAlias = str | int | Block | None
"""Words on a line, shown as they are; None is a dash. A `Block` is words already."""
_MARKUP = re.compile(r"[\\`*<\[\]~$]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown shows as it is with a backslash before it, and may take for markup without."""
Column: TypeAlias = tuple[str, str, Callable[[Any], Text]]
"""Of a table: title; `l` left, `r` right (numbers) or `p` left and wrapped (a paragraph);
item -> cell."""


def dotted(text: str, slot: int) -> Block:
    """Words behind a dot in the colour of an arm's slot."""
    dot = f'<i class="dot" style="background: {variable(slot)}"></i>'
    words = _words(text)
    return Block(f"{dot}{words.html}", words.markdown)


def strong(text: Text) -> Block:
    html, markdown = _words(text)
    return Block(f"<b>{html}</b>", f"**{markdown}**")


def mono(text: str) -> Block:
    """A command, or what else is read letter by letter."""
    text = visible(text)
    # a fence longer than any row of backticks in the text
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    html = f"<code>{escape(text, quote=False)}</code>"
    return Block(html, f"{fence}{space}{text}{space}{fence}")


def joined(*parts: Text) -> Block:
    """Words one after the other, with nothing between them."""
    words = [_words(part) for part in parts]
    return Block("".join(w.html for w in words), "".join(w.markdown for w in words))


def coloured(word: str) -> Block:
    """A word in the colour of the class of `page.css` that is called so."""
    return Block(f'<span class="{word}">{word}</span>', word)


def heading(level: int, text: str) -> Block:
    words = _words(text)
    return Block(f"<h{level}>{words.html}</h{level}>", f"{'#' * level} {words.markdown}")


def paragraph(*parts: Text, style: str = "") -> Block:
    """A paragraph of `joined` words; `style` is a class of `page.css`."""
    html, markdown = joined(*parts)
    return Block(f'<p class="{style}">{html}</p>' if style else f"<p>{html}</p>", markdown)


def bullets(items: Iterable[Text]) -> Block:
    words = [_words(item) for item in items]
    html = "\n".join(["<ul>", *(f"<li>{item.html}</li>" for item in words), "</ul>"])
    return Block(html, "\n".join(f"- {item.markdown}" for item in words))


def table(items: Iterable[Any], *columns: Column) -> Block:
    """A table with a row per item.

    Args:
        items: of any kind.
        columns: from left to right.
    """
    titles, letters, cells = zip(*columns, strict=True)
    classes = [{"l": ' class="l"', "r": "", "p": ' class="l wrap"'}[letter] for letter in letters]

    def html(tag: str, row: Sequence[Block]) -> str:
        pairs = zip(classes, row, strict=True)
        return f"<tr>{''.join(f'<{tag}{name}>{cell.html}</{tag}>' for name, cell in pairs)}</tr>"

    head, *rows = [
        [_words(text) for text in row]
        for row in (titles, *([cell(item) for cell in cells] for item in items))
    ]
    rules = ["---:" if letter == "r" else "---" for letter in letters]
    texts = [[cell.markdown.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    return Block(
        "\n".join(
            [
                '<div class="wide"><table>',
                f"<thead>{html('th', head)}</thead>",
                *("<tbody>", *(html("td", row) for row in rows), "</tbody>"),
                "</table></div>",
            ]
        ),
        "\n".join(f"| {' | '.join(row)} |" for row in (texts[0], rules, *texts[1:])),
    )


def figure(picture: str, *caption: Text) -> Block:
    """An `<svg>` or `<img>` element with its caption; Markdown does without."""
    words = joined(*caption).html
    return Block(f"<figure>\n{picture}\n<figcaption>{words}</figcaption>\n</figure>", "")


def code(text: str, language: str, summary: str = "") -> Block:
    """Lines of code; in HTML folded up below `summary`, if there is one."""
    html = f"<pre><code>{escape(text, quote=False)}</code></pre>"
    if summary:
        html = f"<details><summary>{_words(summary).html}</summary>\n{html}</details>"
    return Block(html, f"```{language}\n{text.rstrip()}\n```")


def to_html(title: str, blocks: Iterable[Block]) -> str:
    """A page that loads nothing from elsewhere, in light and in dark."""
    css = files("warmstart.analysis").joinpath("page.css").read_text(encoding="utf-8")
    body = "\n".join(block.html for block in blocks)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
:root {{ {variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}
{css}</style>
</head>
<body>
{body}
</body>
</html>
"""


def to_markdown(blocks: Iterable[Block]) -> str:
    """The same page without its pictures."""
    return "\n\n".join(block.markdown for block in blocks if block.markdown) + "\n"


def _words(text: Text) -> Block:
    if isinstance(text, Block):
        return text
    words = "–" if text is None else visible(str(text))
    return Block(escape(words, quote=False), _MARKUP.sub(r"\\\g<0>", words))
