"""A text is what it says, in HTML and in Markdown: held against parsers of both."""

import re
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from warmstart.analysis.document import (
    Block,
    Column,
    bullets,
    folded,
    heading,
    joined,
    marked,
    mono,
    paragraph,
    section,
    strong,
    table,
    to_markdown,
)
from warmstart.analysis.figures.looks import Look

TEXTS = [
    "<b>relu</b>", "T-shirt/top <x>", "a|b", "`code`", "``", "**bold**", "*it*", "_under_", "a_b",
    "[link](http://x)", "![i](x)", "~~gone~~", "R&amp;D &lt;", "back\\slash", "back\\|slash", "$x$",
    "<script>alert(1)</script>", "초기화 He", "<!-- -->", "http://x.y", "a * b", "1 < 2 > 0",
    "\\", "&#65;", "# head", "head #", "> said", "- item", "+ item", "1. one", "2) two", "---",
    "===", "https://x.y/z", "www.x.y", "- - -", "[x]: http://y",
]  # fmt: skip


def of_html(html: str) -> str:
    return "".join(ElementTree.fromstring(f"<x>{html}</x>").itertext())


def of_markdown(markdown: str) -> str:
    """What a reader of GitHub's Markdown sees."""
    rendered = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return of_html(re.sub("<(br|hr|img)([^>]*[^/])?>", r"<\1/>", rendered.render(markdown))).strip()


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "block", [paragraph, strong, mono, lambda t: marked(t, Look("#123456", "circle"))]
)
def test_a_text_is_shown_as_it_is(block: object, text: str) -> None:
    made: Block = block(text)  # type: ignore[operator]
    assert of_html(made.html) == text
    assert of_markdown(made.markdown) == text
    made = joined("x ", made, " y")
    assert of_html(made.html) == of_markdown(made.markdown) == f"x {text} y"


@pytest.mark.parametrize("text", TEXTS)
def test_in_a_list_a_heading_and_a_table_too(text: str) -> None:
    assert of_markdown(bullets([joined(strong(text), ": ", mono("x"))]).markdown) == f"{text}: x"
    assert of_markdown(heading(2, f"On {text}").markdown) == f"On {text}"
    cells = table("both", [text, "next"], Column(text, "l", str), Column("n", "r", len, len))
    rendered = MarkdownIt("commonmark").enable("table").render(cells.markdown)
    rows = [
        ["".join(cell.itertext()) for cell in row]
        for row in ElementTree.fromstring(f"<x>{rendered}</x>").iter("tr")
    ]
    assert rows == [[text, "n"], [text, str(len(text))], ["next", "4"]]


def test_addresses_become_no_links() -> None:
    made = paragraph("see https://x.y/z or www.x.y").markdown
    assert made == r"see https\://x.y/z or www\.x.y"  # GitHub links what stands bare


def test_a_table_says_by_which_numbers_it_is_sorted() -> None:
    made = table("a < b", ["x"], Column("n", "r", str, lambda _: 1234567.0)).html
    assert "<caption><span>a &lt; b</span></caption>" in made
    assert '<th scope="row" data-value="1.23457e+06">x</th>' in made
    missing = table("", ["x"], Column("a", "l", str), Column("n", "r", str, lambda _: None)).html
    assert missing.endswith("<td>x</td></tr>\n</tbody>\n</table></div>")


def test_what_is_folded_comes_last_in_markdown() -> None:
    part = section("One", "one", [paragraph("seen"), folded("More & <b>", [paragraph("hidden")])])
    assert "<summary>More &amp; &lt;b&gt;</summary>\n<p>hidden</p>\n</details>" in part.html
    assert to_markdown(part, paragraph("after")) == (
        "## One\n\nseen\n\nafter\n\n## Details\n\n### One\n\n#### More & \\<b>\n\nhidden\n"
    )
    assert folded("nothing", []).html == ""


def test_words_stand_out_where_they_are_meant_to() -> None:
    made = paragraph(strong("What to use."), " Run ", mono("dvc repro"), style="lead")
    assert made.html == '<p class="lead"><b>What to use.</b> Run <code>dvc repro</code></p>'
    assert made.markdown == "**What to use.** Run `dvc repro`"
    assert paragraph(None).html == "<p>–</p>"
    assert paragraph("a\nb").markdown == r"a\\u000ab"  # a line end would end the row of a table
    assert mono("a`b").markdown == "``a`b``"
    assert mono("`").markdown == "`` ` ``"
    assert paragraph("he_normal_1").markdown == "he_normal_1"  # readable as it stands
