"""The report as people meet it: at first sight, on a phone, by keyboard, in print."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import whole_project
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from warmstart.analysis.judging import Judgement, judge

pytestmark = pytest.mark.slow

WIDE, PHONE = {"width": 1400, "height": 900}, {"width": 400, "height": 800}
DRAWN = """() => [...document.querySelectorAll("figure.chart")]
    .filter((figure) => !figure.closest("details:not([open])"))
    .every((figure) => figure.querySelector("svg"))"""
SMALL = """() => [...document.querySelectorAll("body *")].filter((element) => {
    const texts = [...element.childNodes].filter((n) => n.nodeType === 3 && n.textContent.trim());
    if (!texts.length || !element.getClientRects().length) return false;
    const svg = element.closest("svg");
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    return scale * parseFloat(getComputedStyle(element).fontSize) < 10.99;
}).map((element) => element.textContent)"""


@pytest.fixture(scope="module")
def judgement(folder: Path) -> Judgement:
    return judge(whole_project.PARAMS, folder / "results", folder / "prepared")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    whole_project.report(folder)
    return folder


Open = Callable[..., Page]


@pytest.fixture
def opened(page: Page, folder: Path) -> Open:
    """Opens the report anew, and waits until what is in sight is drawn."""

    def open_it(
        size: dict[str, int] = WIDE, scheme: str = "light", *, unfolded: bool = False
    ) -> Page:
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto((folder / "reports/report.html").as_uri())
        if unfolded:
            page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        page.wait_for_function(DRAWN, timeout=120_000)
        return page

    return open_it


def test_the_first_screen_has_the_answer(opened: Open, judgement: Judgement) -> None:
    page = opened()
    shown = {name: page.locator(name).first for name in ("h1", ".advice", ".transfer", "nav")}
    shown["forest"] = page.locator("figure.chart").first
    boxes = {name: part.bounding_box() for name, part in shown.items()}
    ends = {name: box["y"] + box["height"] for name, box in boxes.items() if box}
    assert max(ends.values()) < 900, ends
    assert len(ends) == len(shown)
    expect(shown[".advice"]).to_contain_text("Use ")
    expect(shown["forest"].locator("svg")).to_contain_text("activation")
    for study in judgement.studies:
        title = study.name.replace("_", " ").capitalize()
        link = page.get_by_role("navigation").get_by_role("listitem").filter(has_text=title).first
        expect(link).to_contain_text(study.summary.reference)
    link.get_by_role("link").click()
    assert page.evaluate("scrollY") > 900
    expect(page.get_by_role("heading", name=title)).to_be_in_viewport()
    expect(page.get_by_role("navigation")).to_be_in_viewport()  # it stays beside what is read


@pytest.mark.parametrize("unfolded", [False, True])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_everybody_can_read_it(
    opened: Open, size: dict[str, int], scheme: str, unfolded: bool
) -> None:
    page = opened(size, scheme, unfolded=unfolded)
    seen = Axe().run(page)
    assert seen.violations_count == 0, seen.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.evaluate(SMALL) == []


def test_it_is_short_on_paper_and_to_read(opened: Open) -> None:
    page = opened()
    assert len(page.locator("body").inner_text().split()) < 2500
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
    assert 2 < len(pages) < 8
    page.emulate_media(media="print")
    uncut = "[...document.querySelectorAll('figure')].map((f) => getComputedStyle(f).breakInside)"
    assert set(page.evaluate(uncut)) == {"avoid"}
    page.set_viewport_size({"width": 710, "height": 1000})  # the width of A4 within its margins
    shown = "[...document.querySelectorAll('.wide')].filter((t) => t.offsetParent)"
    assert page.evaluate(f"{shown}.length") > 5
    assert page.evaluate(f"{shown}.filter((t) => t.scrollWidth > t.clientWidth + 1).length") == 0
    page.set_viewport_size(WIDE)
    expect(page.locator("summary").first).to_be_hidden()
    page.emulate_media(media="screen")


def test_a_key_sorts_a_table_by_value_and_gives_its_order_back(
    opened: Open, judgement: Judgement
) -> None:
    page = opened()
    study = next(one for one in judgement.studies if one.name == "initializer")
    arms = study.summary.arms
    ours = page.locator("section").filter(has=page.locator("#study-initializer"))
    table = ours.get_by_role("table").first
    header = table.get_by_role("columnheader", name="test accuracy")
    names = table.locator("tbody th")
    by_test = sorted(arms, key=lambda arm: arms[arm].test.mean)
    assert by_test != list(arms)
    header.get_by_role("button").focus()
    for state, expected in (
        ("ascending", by_test),
        ("descending", by_test[::-1]),
        (None, list(arms)),
    ):
        page.keyboard.press("Enter")
        assert header.get_attribute("aria-sort") == state
        means = [arms[name].test.mean for name in names.all_inner_texts()]
        assert means == [arms[name].test.mean for name in expected]
    # no difference: of the reference
    table.get_by_role("columnheader", name="difference").get_by_role("button").press("Enter")
    contrasts = study.summary.contrasts.values()
    differences = {c.arm: c.difference.mean for c in contrasts} | {study.summary.reference: 0.0}
    shown = [differences[name] for name in names.all_inner_texts()]
    assert shown == sorted(shown)
    assert not math.isclose(shown[0], shown[-1])


def test_what_is_folded_is_drawn_when_it_is_opened(opened: Open) -> None:
    page = opened()
    folded = page.locator("details:has(figure.chart)").first
    assert folded.locator("svg").count() == 0
    folded.locator("summary").press("Enter")
    figures = folded.locator("figure.chart")
    for number in range(figures.count()):
        expect(figures.nth(number).locator("svg")).to_be_visible()


def test_a_point_tells_its_value(opened: Open, judgement: Judgement) -> None:
    page = opened()
    ranking = page.locator("section figure.chart").first
    ranking.scroll_into_view_if_needed()
    ranking.locator(".mark-symbol path").last.hover()
    tip = page.locator("#vg-tooltip-element")
    expect(tip).to_be_visible()
    shown = {row.strip() for row in tip.inner_text().replace("\t", "\n").splitlines()}
    (arm,) = shown & set(judgement.studies[0].summary.arms)
    mean = judgement.studies[0].summary.arms[arm].test.mean
    assert f"{100 * mean:.1f} %" in tip.inner_text()


def test_it_asks_nobody_and_complains_of_nothing(opened: Open, page: Page) -> None:
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    opened(unfolded=True)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert len(asked) >= 1
    assert said == []
