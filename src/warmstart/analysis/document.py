"""A page as a list of plain blocks, which can be written as HTML and as Markdown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any, TypeAlias

from warmstart.analysis.style import DARK, LIGHT, variable, variables


@dataclass(frozen=True)
class Span:
    """Words that stand out: `b` (bold), `code`, or a class of `page.css`."""

    text: str
    style: str


@dataclass(frozen=True)
class Dot:
    """A dot in the colour of an arm's slot."""

    slot: int


Text: TypeAlias = "str | int | Span | Dot | tuple[Text, ...] | None"
"""Words on a line; None is a dash."""


@dataclass(frozen=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    text: Text
    style: str = ""
    """A class of `page.css`."""


@dataclass(frozen=True)
class Bullets:
    items: Sequence[Text]


@dataclass(frozen=True)
class Table:
    titles: Sequence[str]
    columns: str
    """A letter each: `l` left, `r` right (numbers), `p` left and wrapped (a paragraph)."""
    rows: Sequence[Sequence[Text]]


@dataclass(frozen=True)
class Figure:
    picture: str
    """An `<svg>` or `<img>` element."""
    caption: Text


@dataclass(frozen=True)
class Code:
    text: str
    language: str
    summary: str = ""
    """Folded up below these words, where the format can; empty: always open."""


Block = Heading | Paragraph | Bullets | Table | Figure | Code


def table(items: Iterable[Any], *columns: tuple[str, str, Callable[[Any], Any]]) -> Table:
    """A table with a row per item.

    Args:
        items: of any kind.
        columns: title, letter as in `Table.columns`, item -> cell.
    """
    titles, letters, cells = zip(*columns, strict=True)
    rows = [[cell(item) for cell in cells] for item in items]
    return Table(titles, "".join(letters), rows)


def to_html(title: str, blocks: Iterable[Block]) -> str:
    """A page that loads nothing from elsewhere, in light and in dark."""
    css = files("warmstart.analysis").joinpath("page.css").read_text(encoding="utf-8")
    body = "\n".join(map(_block_html, blocks))
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
    return "\n\n".join(filter(None, map(_block_markdown, blocks))) + "\n"


def _block_html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_html(text)}</h{level}>"
        case Paragraph(text, style):
            return f"<p{_class(style)}>{_html(text)}</p>"
        case Bullets(items):
            return "\n".join(["<ul>", *(f"<li>{_html(item)}</li>" for item in items), "</ul>"])
        case Table(titles, columns, rows):
            classes = [_class({"l": "l", "r": "", "p": "l wrap"}[column]) for column in columns]
            lines = [_row_html("td", classes, row) for row in rows]
            return "\n".join(
                [
                    '<div class="wide"><table>',
                    f"<thead>{_row_html('th', classes, titles)}</thead>",
                    *("<tbody>", *lines, "</tbody>"),
                    "</table></div>",
                ]
            )
        case Figure(picture, caption):
            return f"<figure>\n{picture}\n<figcaption>{_html(caption)}</figcaption>\n</figure>"
        case Code(text, _, summary):
            code = f"<pre><code>{_html(text)}</code></pre>"
            opened = f"<details><summary>{_html(summary)}</summary>\n{code}</details>"
            return opened if summary else code


def _block_markdown(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Paragraph(text):
            return _markdown(text)
        case Bullets(items):
            return "\n".join(f"- {_markdown(item)}" for item in items)
        case Table(titles, columns, rows):
            rules = ["---:" if column == "r" else "---" for column in columns]
            cells = [[_markdown(cell).replace("|", "\\|") for cell in row] for row in rows]
            return "\n".join(f"| {' | '.join(row)} |" for row in (titles, rules, *cells))
        case Figure():
            return ""
        case Code(text, language):
            return f"```{language}\n{text.rstrip()}\n```"


def _html(text: Text) -> str:
    match text:
        case Span(words, "b" | "code" as tag):
            return f"<{tag}>{_html(words)}</{tag}>"
        case Span(words, style):
            return f"<span{_class(style)}>{_html(words)}</span>"
        case Dot(slot):
            return f'<i class="dot" style="background: {variable(slot)}"></i>'
        case tuple():
            return "".join(map(_html, text))
        case _:
            return escape("–" if text is None else str(text), quote=False)


def _markdown(text: Text) -> str:
    match text:
        case Span(words, style):
            mark = {"b": "**", "code": "`"}.get(style, "")
            return f"{mark}{words}{mark}"
        case Dot():
            return ""
        case tuple():
            return "".join(map(_markdown, text))
        case _:
            return "–" if text is None else str(text)


def _row_html(tag: str, classes: Sequence[str], cells: Sequence[Text]) -> str:
    pairs = zip(classes, cells, strict=True)
    return f"<tr>{''.join(f'<{tag}{name}>{_html(cell)}</{tag}>' for name, cell in pairs)}</tr>"


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""
