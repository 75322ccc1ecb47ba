"""A page as a sequence of blocks, each of them written as HTML and as Markdown.

A text is what it says: names that people write never become markup. `strong`, `mono` and `joined`
make words that stand out.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple, TypeAlias

from warmstart.analysis.figures.figure import Figure
from warmstart.analysis.figures.looks import Look
from warmstart.analysis.figures.scripts import inert, library
from warmstart.errors import visible


class Block(NamedTuple):
    """Words or a part of a page in both forms."""

    html: str
    markdown: str
    later: str = ""
    """What stands folded up in HTML: Markdown has it at the end."""


Text: TypeAlias = str | int | Block | None
"""Words on a line, shown as they are; None is a dash. A `Block` is words already."""
_MARKUP = re.compile(
    r"[\\`*<\[\]~$]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])"
    # addresses, which GitHub makes links; at the start a heading, a quotation, a list or a line
    r"|:(?=//)|(?<=\bwww)\.|^#|^>|^[-+=](?=[\s=-]|$)|(?<=^\d)[.)](?=\s|$)|#+$"
)
"""What Markdown shows as it is with a backslash before it, and may take for markup without."""


class Column(NamedTuple):
    """Of a table."""

    title: Text
    align: str
    """`l` left, `r` right (numbers) or `p` left and wrapped (a paragraph)."""
    cell: Callable[[Any], Text]
    """Item -> what is shown."""
    key: Callable[[Any], float | None] | None = None
    """Item -> the number that rows are sorted by; None: by what is shown."""


def marked(text: str, look: Look) -> Block:
    """Words behind a dot in the colour of an arm."""
    words = _words(text)
    dot = f'<i class="dot" style="background: {look.colour}"></i>'
    return Block(f"{dot}{words.html}", words.markdown)


def strong(text: Text) -> Block:
    words = _words(text)
    return Block(f"<b>{words.html}</b>", f"**{words.markdown}**")


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


def heading(level: int, text: str, anchor: str = "") -> Block:
    words = _words(text)
    mark = f' id="{anchor}"' if anchor else ""
    return Block(f"<h{level}{mark}>{words.html}</h{level}>", f"{'#' * level} {words.markdown}")


def stacked(blocks: Iterable[Block]) -> Block:
    """Blocks one below the other, as one."""
    blocks = list(blocks)

    def together(texts: Iterable[str], gap: str) -> str:
        return gap.join(text for text in texts if text)

    return Block(
        html=together((block.html for block in blocks), "\n"),
        markdown=together((block.markdown for block in blocks), "\n\n"),
        later=together((block.later for block in blocks), "\n\n"),
    )


def section(title: str, anchor: str, blocks: Iterable[Block]) -> Block:
    """A part of the page with a heading, which links point at by `anchor`."""
    head, content = heading(2, title, anchor), stacked(blocks)
    html = f"<section>\n{head.html}\n{content.html}\n</section>"
    markdown = f"{head.markdown}\n\n{content.markdown}" if content.markdown else ""
    later = f"### {_words(title).markdown}\n\n{content.later}" if content.later else ""
    return Block(html, markdown, later)


def folded(summary: Text, blocks: Iterable[Block]) -> Block:
    """What is seen once `summary` is opened, which says what is inside; nothing for no blocks."""
    content = stacked(blocks)
    if not content.html:
        return Block("", "")
    words = _words(summary)
    html = f"<details>\n<summary>{words.html}</summary>\n{content.html}\n</details>"
    later = f"#### {words.markdown}\n\n{content.markdown}" if content.markdown else ""
    return Block(html, "", later)


def contents(entries: Iterable[tuple[str, str, str]]) -> Block:
    """Links to the sections.

    Args:
        entries: title, anchor and what is said there in a few words.
    """
    lines = [
        f'<li><a href="#{anchor}">{_words(title).html}</a> <span>{_words(said).html}</span></li>'
        for title, anchor, said in entries
    ]
    hint = "<p>Best on validation, and whether the choice matters</p>"
    html = ['<nav aria-label="Contents">', hint, "<ol>", *lines, "</ol>", "</nav>"]
    return Block("\n".join(html), "")


def beside(*blocks: Block) -> Block:
    """Blocks side by side where there is room."""
    content = stacked(blocks)
    return content._replace(html=f'<div class="beside">\n{content.html}\n</div>')


def paragraph(*parts: Text, style: str = "") -> Block:
    """A paragraph of `joined` words; `style` is a class of `page.css`."""
    words = joined(*parts)
    name = f' class="{style}"' if style else ""
    return Block(f"<p{name}>{words.html}</p>", words.markdown)


def bullets(items: Iterable[Text]) -> Block:
    words = [_words(item) for item in items]
    html = "\n".join(["<ul>", *(f"<li>{item.html}</li>" for item in words), "</ul>"])
    return Block(html, "\n".join(f"- {item.markdown}" for item in words))


def table(caption: Text, items: Iterable[Any], *columns: Column) -> Block:
    """A table with a row per item, which its headings sort.

    Args:
        caption: what it shows.
        items: of any kind.
        columns: from left to right; the first one names the row.
    """
    classes = [{"l": ' class="l"', "r": "", "p": ' class="l wrap"'}[c.align] for c in columns]
    heads = [_words(column.title) for column in columns]
    rows = [[(_words(c.cell(item)), c.key and c.key(item)) for c in columns] for item in items]

    def row(cells: Sequence[tuple[Block, float | None]]) -> str:
        html = []
        for number, (name, (words, key)) in enumerate(zip(classes, cells, strict=True)):
            value = "" if key is None else f' data-value="{key:.6g}"'
            tag, scope = ("td", "") if number else ("th", ' scope="row"')
            html.append(f"<{tag}{scope}{name}{value}>{words.html}</{tag}>")
        return f"<tr>{''.join(html)}</tr>"

    titles = "".join(
        f'<th scope="col"{name}><button type="button">{words.html}</button></th>'
        for name, words in zip(classes, heads, strict=True)
    )
    rules = ["---:" if column.align == "r" else "---" for column in columns]
    texts = [
        [cell.markdown.replace("|", "\\|") for cell in cells]
        for cells in (heads, *([words for words, _ in row] for row in rows))
    ]
    html = [
        f'<div class="wide"><table>\n<caption><span>{_words(caption).html}</span></caption>',
        f"<thead><tr>{titles}</tr></thead>",
        *("<tbody>", *map(row, rows), "</tbody>"),
        "</table></div>",
    ]
    lines = (f"| {' | '.join(line)} |" for line in (texts[0], rules, *texts[1:]))
    return Block("\n".join(html), "\n".join(lines))


def image(uri: str, *caption: Text) -> Block:
    """A picture with its caption; Markdown does without."""
    words = joined(*caption).html
    html = f'<figure>\n<img src="{uri}" alt="">\n<figcaption>{words}</figcaption>\n</figure>'
    return Block(html, "")


def chart(figure: Figure, caption: Text = "") -> Block:
    """A figure that is drawn when it is first seen, below it its own caption or a shorter one;
    Markdown does without."""
    spec = json.dumps(figure.spec(), ensure_ascii=False, separators=(",", ":"))
    return Block(
        '<figure class="chart">\n<div></div>\n'
        f'<script type="application/json">{inert(spec)}</script>\n'
        f"<figcaption>{_words(caption or figure.caption).html}</figcaption>\n</figure>",
        "",
    )


def code(text: str, language: str) -> Block:
    html = f'<pre tabindex="0"><code>{escape(text, quote=False)}</code></pre>'
    return Block(html, f"```{language}\n{text.rstrip()}\n```")


def to_html(title: str, first: Block, links: Block, rest: Block) -> str:
    """A page that loads nothing from elsewhere, in light and in dark.

    Args:
        title: of the window.
        first: what is seen first, beside the `links`.
        links: to what stands in the rest.
        rest: of the page.
    """
    css, script = (
        files("warmstart.analysis").joinpath(f"page.{kind}").read_text(encoding="utf-8")
        for kind in ("css", "js")
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{css}</style>
</head>
<body>
<a class="skip" href="#main">To the answer</a>
<noscript><p>Pictures need JavaScript; as SVG they are in the folder figures.</p></noscript>
<main id="main" tabindex="-1">
<div class="first">
{first.html}
</div>
{links.html}
<div class="rest">
{rest.html}
</div>
</main>
<script>{library()}</script>
<script>{script}</script>
</body>
</html>
"""


def to_markdown(*blocks: Block) -> str:
    """The same page without its pictures, with what is folded up at the end."""
    page = stacked(blocks)
    parts = [page.markdown, f"## Details\n\n{page.later}" if page.later else ""]
    return "\n\n".join(part for part in parts if part) + "\n"


def _words(text: Text) -> Block:
    if isinstance(text, Block):
        return text
    words = "–" if text is None else visible(str(text))
    return Block(escape(words, quote=False), _MARKUP.sub(r"\\\g<0>", words))
