"""docs/chapter.md and docs/chapter.ko.md: commands that run, tables that are the results', links
that lead somewhere."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

import parameters
from docs import chapter_pictures, chapter_tables
from fabricated import finished
from warmstart import library
from warmstart.analysis.chapter import RULES
from warmstart.analysis.results import DataCard, judged
from warmstart.analysis.summary import write_summary
from warmstart.commands import app
from warmstart.config.loading import parse
from warmstart.files import read_json, write_json, write_sealed

ROOT = Path(__file__).parents[2]
PAGES = {name: path.read_text(encoding="utf-8") for name, path in chapter_tables.PAGES.items()}
KEPT = read_json(chapter_tables.KEPT)
SECTIONS = ("11.1", "11.1.1", "11.1.2", "11.1.3", "11.1.4", "11.2", "11.2.1", "11.2.2")
WITH_RULES = sorted({*chapter_tables.SECTIONS.values()})
FILE = YAML(typ="safe", pure=True)
MARKDOWN = MarkdownIt("commonmark").enable("table")
MARKERS = r"(?m)^<!-- (?!end)(.*) -->$"
languages = pytest.mark.parametrize("language", PAGES)


def blocks(language: str, kind: str) -> list[str]:
    tokens = MARKDOWN.parse(PAGES[language])
    return [token.content for token in tokens if token.type == "fence" and token.info == kind]


def commands(language: str) -> list[list[str]]:
    lines = [line for block in blocks(language, "sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


def table(language: str, marker: str) -> list[list[str]]:
    """The rows of a table, as a reader's Markdown has them."""
    text = PAGES[language].split(f"<!-- {marker} -->")[1].split("<!-- end -->")[0]
    tokens = MARKDOWN.parse(text)
    assert {token.type for token in tokens if token.level == 0} == {"table_open", "table_close"}
    cells = [token.content for token in tokens if token.type == "inline"]
    width = sum(token.type == "th_open" for token in tokens)
    return [cells[at : at + width] for at in range(width, len(cells), width)]


def numbers(text: str) -> list[str]:
    return re.findall(r"[-+]?\d[\d.,]*\d|[-+]?\d", text)


def place(content: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The section of the parameters that holds `key`, and its name there."""
    *path, last = key.split(".")
    for part in path:
        content = content[part]
    assert last in content, key
    return content, last


@languages
def test_every_section_of_the_chapter_is_there_in_its_order(language: str) -> None:
    assert tuple(re.findall(r"(?m)^## (11[\d.]*) ", PAGES[language])) == SECTIONS
    assert {*chapter_tables.SECTIONS} == {rule.section for rule in RULES}


def test_both_pages_have_the_same_parts() -> None:
    english, korean = PAGES.values()
    for part in (MARKERS, r"!\[[^\]]*\]\((.*)\)", r"`(reports/figures/.*?)`"):
        assert re.findall(part, english) == re.findall(part, korean) != []
    assert commands("en") == commands("ko")
    assert blocks("en", "python") == blocks("ko", "python")


@languages
def test_tables_are_what_the_results_say(language: str) -> None:
    assert chapter_tables.filled(PAGES[language], language) == PAGES[language]


@languages
def test_every_rule_has_one_row_with_the_verdict_of_each_data_set(language: str) -> None:
    shown = []
    words = chapter_tables.WORDS[language]
    said = {rule.id: rule.statement for rule in RULES} if language == "en" else words["rules"]
    for section in WITH_RULES:
        own = [rule for rule in RULES if chapter_tables.SECTIONS[rule.section] == section]
        for rule, row in zip(own, table(language, f"rules {section}"), strict=True):
            shown.append(rule.id)
            assert row[0].startswith(said[rule.id])
            assert (words["sanity"] in row[0]) == rule.sanity
            assert row[1] == f"`{rule.study}`"
            for cell, data in zip(row[2:], KEPT.values(), strict=True):
                claim = data["claims"][rule.id]
                if rule.study not in {*data["studies"], "transfer"}:
                    assert cell == "–"
                    continue
                assert words["verdicts"][claim["verdict"]] in cell
                found = sorted(numbers(cell.replace("10의 ", "")))
                assert found == sorted(numbers(f"{claim['shown']} {claim['missing']}"))
    assert sorted(shown) == sorted({rule.id for rule in RULES}) == sorted(said)
    assert all(sorted(data["claims"]) == sorted(shown) for data in KEPT.values())


def test_no_english_is_left_in_the_korean_results() -> None:
    names = r"`[^`]*`|%p|Fashion-MNIST|digits|P?(Leaky)?ReLU|\bnat\b|(?<![A-Za-z])[AB](?![A-Za-z])"
    for marker in re.findall(MARKERS, PAGES["ko"]):
        for row in table("ko", marker):
            for cell in row[1:] if marker.startswith("rules") else row:
                assert not re.search("[A-Za-z]", re.sub(names, "", cell)), (marker, cell)


@languages
def test_no_asterisk_is_left_as_it_was_typed(language: str) -> None:
    """One between a bracket and a letter of Hangul closes nothing."""
    texts = [t for token in MARKDOWN.parse(PAGES[language]) for t in token.children or ()]
    assert not [token.content for token in texts if token.type == "text" and "*" in token.content]


def test_the_seeds_of_the_book_s_transfer_are_as_far_apart_as_the_text_says() -> None:
    (row,) = [
        row
        for row in read_json(chapter_tables.BOOK)["rows"]
        if row["arm"] == "B on A, thawed at 0.001"
        and (row["experiment"], row["measure"]) == ("sandal or shirt", "error factor")
    ]
    known = {f"{x:.1f}" for x in (row["book"], row["mean"], min(row["values"]), max(row["values"]))}
    for page in PAGES.values():
        paragraph = next(p for p in page.split("\n\n") if "(#1121-" in p)
        assert {n for n in numbers(paragraph) if "." in n} == known | {"11.2.1"}


@languages
def test_commands_name_what_there_is(language: str) -> None:
    content = parameters.content()
    stages = FILE.load(ROOT / "dvc.yaml")["stages"]
    scripts = {"dvc repro", "dvc exp run", f"python {chapter_tables.__name__.replace('.', '/')}.py"}
    found = set()
    for words in commands(language):
        if words[0] == "python":
            assert words[2] in SECTIONS
            found.add(" ".join(words[:2]))
        elif words[:2] == ["dvc", "repro"]:
            for stage, _, study in (target.partition("@") for target in words[2:]):
                assert stage in stages
                assert ("matrix" in stages[stage]) == bool(study)
                assert not study or study in content["compare"]["studies"]
            found.add("dvc repro")
        else:
            changed(words)
            found.add("dvc exp run")
    assert found == scripts
    assert len(commands(language)) > 2 * len(SECTIONS)


def changed(words: list[str]) -> None:
    """What `dvc exp run -S KEY=VALUE …` sets is known and allowed."""
    content = parameters.content()
    head, settings = words[:3], words[3:]
    assert head == ["dvc", "exp", "run"]
    assert set(settings[::2]) == {"-S"}
    for key, value in (setting.split("=", 1) for setting in settings[1::2]):
        section, last = place(content, key)
        assert section[last] != FILE.load(value), f"{key} is that already"
        section[last] = FILE.load(value)
    parse(content, " ".join(words))


@pytest.mark.parametrize("data", KEPT)
def test_the_numbers_name_the_command_that_gave_them(data: str) -> None:
    command = KEPT[data]["command"]
    if command != "dvc repro":
        changed(shlex.split(command))
        assert f"data.name={data}" in command
    for language, page in PAGES.items():
        assert f"`{command}`" in page.split("<!-- end -->")[0], language


@languages
def test_what_stands_in_the_text_is_there_too(language: str) -> None:
    known = {
        "make": re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()),
        "warmstart": {name for command in app for name in command.split()},
        "python": [f"{chapter_tables.__name__.replace('.', '/')}.py"],
    }
    spans = re.findall(r"`([^`\n]+)`", PAGES[language])
    checked = 0
    for span in spans:
        program, _, rest = span.partition(" ")
        if program in known and rest:
            assert rest.split()[0] in known[program], span
            checked += 1
        key = span.split("=")[0]
        if re.fullmatch(r"(compare|transfer|pretrain|autoencode|data)\.[\w.]+", key):
            place(parameters.content(), key)
            checked += 1
    assert checked > 8


@languages
def test_snippets_ask_for_arms_that_there_are(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(library, "_run", lambda *call: asked.append(call))
    for snippet in blocks(language, "python"):
        exec(compile(snippet, language, "exec"), {})
    assert len(asked) == len(blocks(language, "python")) > 0
    dataset, options, _ = asked[0]
    assert len(dataset.y) == 1797
    assert set(options.compare.studies["comparison"].arms) == {"he", "glorot", "too_wide"}


@languages
def test_links_and_pictures_lead_somewhere(language: str) -> None:
    heads = re.findall(r"(?m)^#+ (.*)$", PAGES[language])
    anchors = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
    links = re.findall(r"\]\(([^)]+)\)", PAGES[language])
    assert len(links) > 8
    for link in links:
        path, _, anchor = link.partition("#")
        assert not path or (ROOT / "docs" / path).is_file(), link
        assert path or anchor in anchors, link


@languages
def test_every_picture_names_that_of_the_reader_s_own_report(language: str) -> None:
    found = re.findall(r"images/chapter/(\w+)\.png|`reports/figures/(.+)\.svg`", PAGES[language])
    pairs = [
        (name, reported) for (name, _), (_, reported) in zip(found[::2], found[1::2], strict=True)
    ]
    assert pairs == list(chapter_pictures.PICTURES.items())
    paths = {path.stem: path for path in chapter_pictures.IMAGES.iterdir()}
    assert paths.keys() == chapter_pictures.PICTURES.keys()
    assert all(path.stat().st_size < 50_000 for path in paths.values())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose reports say something of data of one's own, which have no transfer."""
    claims = [
        {"id": rule.id, "verdict": "open", "shown": "", "seeds": 0, "missing": "seeds"}
        for rule in RULES
    ]
    classes = {"full": {"digest": "d" * 64, "train": {"n": 90}, "test": {"n": 40}}}
    card = {"name": "wine", "kind": "multiclass", "target": {"name": "sort"}, "tasks": classes}
    arms = finished("none", [0.85, 0.9, 0.95], val_accuracy=[0.99], study="clipping")
    arms += finished("norm", [0.25, 0.3, 0.35], study="clipping")
    clipping = judged(tuple(arms), DataCard(card), 0.01)
    assert clipping
    write_summary(tmp_path / "reports/summaries/compare/clipping.json", clipping.summary)
    written = {
        "reports/claims.json": claims,
        "data/prepared/card.json": card,
        "results/times/pretrain.json": {"left_out": "the target is a number"},
    }
    for path, content in written.items():
        write = write_json if isinstance(content, list) else write_sealed
        write(tmp_path / path, content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_section_s_tables_of_one_s_own_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert chapter_tables.main(["11.1.4"]) == 0
    rules, studies = capsys.readouterr().out.split("\n\n")
    assert rules.splitlines()[0] == "| rule | study | wine |"
    assert rules.count("open: missing: seeds") == 2
    assert studies.splitlines()[2:] == [
        "| `clipping` | wine | `none` | 90.0 % (77.6 to 100.0) | 3 | worse: `norm` |"
    ]


def test_without_a_run_it_says_what_to_do(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(run / "reports")
    assert chapter_tables.main(["11.1"]) == 2
    assert capsys.readouterr().err == (
        "error: reports/claims.json: expected the results of a run, received no such file; "
        "run `dvc repro` here first\n"
    )
