"""Names that people and files bring are shown as they are and do nothing: in the report, in its
pictures, in its Markdown, in the pages of single pictures."""

import re
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import whole_project
from markdown_it import MarkdownIt
from playwright.sync_api import Page
from ruamel.yaml import YAML

import parameters
from warmstart.analysis.figures.files import shown
from warmstart.analysis.judging import judge
from warmstart.config import loading
from warmstart.errors import visible

pytestmark = pytest.mark.slow

CANARY = "canary()"
NAMES = (
    f"<script>{CANARY}</script>",
    f"</script><script>{CANARY}</script>",
    f"<img src=x onerror={CANARY}>",
    f"<!--<script>{CANARY}//",
    f'" onmouseover="{CANARY}" x="',
    f"]]></style></svg><svg onload={CANARY}>",
    f"[click](javascript:{CANARY})",
    "![seen](http://example.invalid/x.png)",
    "a|b `c` **d** http://example.invalid",
    f"';{CANARY};//",
)
"""Of arms and classes: markup, and what ends a script, an attribute, a picture, a string."""
DRAWN = {"svg", "g", "path", "text", "tspan", "rect", "line", "defs", "clipPath"}
DRAWN |= {"style", "title", "linearGradient", "stop"}
POINT = """for (const one of document.querySelectorAll("svg path, svg text, th, td, a"))
    for (const kind of ["mouseover", "mousemove", "click", "focus"])
        one.dispatchEvent(new MouseEvent(kind, {bubbles: true}));"""
UNSEEN = "x\x1b[31m\u202e\n# y\0"
"""Of classes and columns alone: parameters may not have it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    content: Any = YAML(typ="rt", pure=True).load(parameters.PATH.read_text())
    arms = {name: {"initializer": "he_normal"} for name in NAMES}
    content["compare"]["studies"] = {
        "initializer": {"arms": arms | {"zeros": {"initializer": "zeros"}}}
    }
    with (folder / "params.yaml").open("w") as file:
        YAML(typ="rt", pure=True).dump(content, file)
    whole_project.report(
        folder,
        loading.load(folder / "params.yaml"),
        [*NAMES, UNSEEN],
        name=NAMES[1],
        source=NAMES[6],
        licence=NAMES[2],
        target={"name": UNSEEN + NAMES[0]},
        warnings=[f"constant: {name}" for name in (*NAMES, UNSEEN)],
    )
    return folder


def test_markdown_shows_them_literally(folder: Path) -> None:
    text = (folder / "reports/report.md").read_text()
    assert not [c for c in text if c != "\n" and visible(c) != c]
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    seen = "".join(ElementTree.fromstring(f"<x>{html}</x>").itertext())
    for name in (*NAMES, visible(UNSEEN)):
        assert name in seen
    tags = set(re.findall(r"<(\w+)", html))
    assert tags.isdisjoint({"script", "img", "svg", "style", "a"}), tags
    assert not re.search(r"https?://|www\.", text)


def test_svg_shows_them_as_text(folder: Path) -> None:
    drawn = sorted((folder / "reports/figures").rglob("*.svg"))
    assert len(drawn) > 3
    for path in drawn:
        for element in ElementTree.parse(path).iter():
            assert element.tag.rpartition("}")[2] in DRAWN
            names = {name.lower() for name in element.attrib}
            assert not [n for n in names if n.startswith("on") or n.endswith("href")]


def test_no_script_of_theirs_runs(folder: Path, page: Page) -> None:
    params = loading.load(folder / "params.yaml")
    judgement = judge(params, folder / "results", folder / "prepared")
    (study,) = judgement.studies
    figure = next(iter(shown(judgement)[study.name].figures.values()))
    figure.save(folder / "figure.html")
    called: list[str] = []
    asked: list[str] = []
    page.expose_function("canary", lambda: called.append("canary"))
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.on("request", lambda request: asked.append(request.url))
    for path in (folder / "reports/report.html", folder / "figure.html"):
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        page.wait_for_function("document.querySelector('figure svg')", timeout=120_000)
        page.evaluate(POINT)
        page.wait_for_timeout(500)
        assert page.locator("a[href^=javascript]").count() == 0
        assert page.locator("img[src=x]").count() == 0
    for path in sorted((folder / "reports/figures").rglob("*.svg")):
        page.goto(path.as_uri())
    assert called == []
    assert [url for url in asked if "example.invalid" in url] == []
    page.goto((folder / "reports/report.html").as_uri())
    for name in NAMES:
        assert escape(name, quote=False) in page.content()
    page.evaluate("canary()")  # it would have been noticed
    assert called == ["canary"]
