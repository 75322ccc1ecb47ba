"""A page as a list of plain blocks, each of which is written as HTML and as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Protocol, TypeAlias

from warmstart.analysis.style import DARK, LIGHT, variable, variables


@dataclass(frozen=True)
class Span:
    """Words that stand out."""

    text: str
    style: str
    """`b`: bold; `code`; or a class of `page.css`, which Markdown does without."""


@dataclass(frozen=True)
class Dot:
    """A dot in an arm's colour, which Markdown does without."""

    slot: int


Text: TypeAlias = "str | Span | Dot | tuple[Text, ...]"


class Block(Protocol):
    """Stands on lines of its own."""

    def html(self) -> str: ...
    def markdown(self) -> str:
        """Empty for what Markdown cannot show."""
        ...


@dataclass(frozen=True)
class Heading:
    level: int
    text: str

    def html(self) -> str:
        return f"<h{self.level}>{_html(self.text)}</h{self.level}>"

    def markdown(self) -> str:
        return f"{'#' * self.level} {self.text}"


@dataclass(frozen=True)
class Paragraph:
    text: Text
    style: str = ""
    """`lead`, `warning` or nothing: a class of `page.css`."""

    def html(self) -> str:
        return f"<p{_class(self.style)}>{_html(self.text)}</p>"

    def markdown(self) -> str:
        return _markdown(self.text)


@dataclass(frozen=True)
class Bullets:
    items: Sequence[Text]

    def html(self) -> str:
        items = "\n".join(f"<li>{_html(item)}</li>" for item in self.items)
        return f"<ul>\n{items}\n</ul>"

    def markdown(self) -> str:
        return "\n".join(f"- {_markdown(item)}" for item in self.items)


@dataclass(frozen=True)
class Table:
    columns: str
    """A letter each: `l` left, `r` right (numbers), `p` left and wrapped (a paragraph)."""
    titles: Sequence[str]
    rows: Sequence[Sequence[Text]]

    def html(self) -> str:
        classes = [_class({"l": "l", "r": "", "p": "l wrap"}[column]) for column in self.columns]
        head = _cells("th", classes, self.titles)
        body = "\n".join(_cells("td", classes, row) for row in self.rows)
        return (
            f'<div class="wide"><table>\n<thead>{head}</thead>\n'
            f"<tbody>\n{body}\n</tbody></table></div>"
        )

    def markdown(self) -> str:
        rules = ["---:" if column == "r" else "---" for column in self.columns]
        rows = [map(_markdown, self.titles), rules]
        rows += [[_markdown(cell).replace("|", "\\|") for cell in row] for row in self.rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@dataclass(frozen=True)
class Figure:
    """An SVG element or an image, which Markdown does without."""

    picture: str
    """The element, or the image as a data URI."""
    caption: Text

    def html(self) -> str:
        picture, caption = self.picture, _html(self.caption)
        if picture.startswith("data:"):
            picture = f'<img src="{picture}" alt="{escape(_markdown(self.caption))}">'
        return f"<figure>\n{picture}\n<figcaption>{caption}</figcaption>\n</figure>"

    def markdown(self) -> str:
        return ""


@dataclass(frozen=True)
class Listing:
    """Lines of code."""

    text: str
    language: str = ""

    def html(self) -> str:
        return f"<pre><code>{_html(self.text)}</code></pre>"

    def markdown(self) -> str:
        return f"```{self.language}\n{self.text.rstrip()}\n```"


@dataclass(frozen=True)
class Details:
    """Folded up until asked for; in Markdown always open."""

    summary: str
    block: Block

    def html(self) -> str:
        return f"<details><summary>{_html(self.summary)}</summary>\n{self.block.html()}</details>"

    def markdown(self) -> str:
        return f"{self.summary}:\n\n{self.block.markdown()}"


@dataclass(frozen=True)
class Definitions:
    terms: Sequence[tuple[str, Text]]

    def html(self) -> str:
        terms = [f"<dt>{_html(term)}</dt><dd>{_html(text)}</dd>" for term, text in self.terms]
        return "\n".join(["<dl>", *terms, "</dl>"])

    def markdown(self) -> str:
        return "\n".join(f"- {term}: {_markdown(text)}" for term, text in self.terms)


def to_html(title: str, blocks: Iterable[Block]) -> str:
    """A page that loads nothing from elsewhere, in light and in dark."""
    css = files("warmstart.analysis").joinpath("page.css").read_text(encoding="utf-8")
    dark = f"@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}"
    body = "\n".join(block.html() for block in blocks)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_html(title)}</title>
<style>
:root {{ {variables(LIGHT)} }}
{dark}
{css}</style>
</head>
<body>
{body}
</body>
</html>
"""


def to_markdown(blocks: Iterable[Block]) -> str:
    """The same page without its pictures."""
    return "\n\n".join(text for block in blocks if (text := block.markdown())) + "\n"


def _html(text: Text) -> str:
    match text:
        case Span(words, "b" | "code" as tag):
            return f"<{tag}>{_html(words)}</{tag}>"
        case Span(words, style):
            return f"<span{_class(style)}>{_html(words)}</span>"
        case Dot(slot):
            return f'<i class="dot" style="background: {variable(slot)}"></i>'
        case str():
            return escape(text, quote=False)
        case _:
            return "".join(map(_html, text))


def _markdown(text: Text) -> str:
    match text:
        case Span(words, style):
            mark = {"b": "**", "code": "`"}.get(style, "")
            return f"{mark}{words}{mark}"
        case Dot():
            return ""
        case str():
            return text
        case _:
            return "".join(map(_markdown, text))


def _cells(tag: str, classes: Sequence[str], cells: Sequence[Text]) -> str:
    pairs = zip(classes, cells, strict=True)
    return f"<tr>{''.join(f'<{tag}{name}>{_html(cell)}</{tag}>' for name, cell in pairs)}</tr>"


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""
