"""The report holds the numbers, and nothing from elsewhere."""

import base64
import dataclasses
import io
import json
import re
import shutil
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from fabricated import finished, study, trial
from parameters import params
from warmstart.analysis import transfer_sections
from warmstart.analysis.document import to_markdown
from warmstart.analysis.judging import judge
from warmstart.analysis.page import write_report
from warmstart.analysis.pairs import judge_pairs
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import summarize
from warmstart.config.params import Params
from warmstart.files import read_sealed, write_sealed
from warmstart.records import Record, looks, read_records, write_looks, write_records
from warmstart.training.layers import LayerProbe

ACCURACIES = [0.905, 0.915, 0.925, 0.91, 0.92]
PARAMS = params()


def write(folder: Path, records: Sequence[Record]) -> None:
    write_records(folder / "records.parquet", records)


@pytest.fixture(scope="module")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of 200 test samples with its report; to be read only."""
    project = tmp_path_factory.mktemp("project")
    part = {"n": 20, "classes": {"x": 10, "y": 10}}
    task = {"class_names": ["x", "<y>"], "train": part, "validation": part}
    task |= {"test": {"n": 200, "classes": {"x": 100, "y": 100}}, "digest": "d" * 64}
    card = {
        "name": "made up",
        "n": 240,
        "features": 4,
        "shape": [4],
        "feature_shape": [2, 2],
        "size": "240 samples of 4 features (2 × 2)",
        "kind": "binary",
        "why": "classes, since it is text",
        "target": {"name": "sort"},
        "splits": "resampled",
        "warnings": ["copies: 3 rows are the same as one before them"],
        "source": "a generator",
        "licence": "none",
        "digest": "f" * 64,
        "tasks": {"full": task, "a": task, "b": task},
    }
    write_sealed(project / "prepared/card.json", card)
    transfer = finished("scratch", ACCURACIES, stage="transfer", study="") + finished(
        "on_a", [a - 0.03 for a in ACCURACIES], stage="transfer", study=""
    )
    write(project / "results/transfer", transfer)
    arms = {"glorot_normal": 0.10, "lecun_normal": 0.09, "he_normal": 0.03, "zeros": 0.9}
    write(project / "results/compare/initializer", study(arms, seeds=6, n_test=200))
    run(project)
    return project


@pytest.fixture
def reports(finished_project: Path) -> Path:
    return finished_project / "reports"


@pytest.fixture
def project(finished_project: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(finished_project, tmp_path / "project"))


def run(project: Path, parameters: Params = PARAMS) -> Path:
    write_report(judge(parameters, project / "results", project / "prepared"), project / "reports")
    return project / "reports"


def both(reports: Path) -> tuple[str, str]:
    """The page as HTML, without its styles and scripts, and as Markdown."""
    html, markdown = ((reports / f"report.{kind}").read_text() for kind in ("html", "md"))
    return re.sub(r"(?s)<(style|script)[ >].*?</\1>", "", html), markdown


def section(html: str, anchor: str) -> str:
    return html[html.index(f' id="{anchor}"') :].partition("</section>")[0]


def cells(html: str, anchor: str, arm: str, number: int = 0) -> dict[str, str]:
    """Column -> text of the row of `arm` in a table of a section."""
    table = re.findall(r"(?s)<table>.*?</table>", section(html, anchor))[number]
    heads = re.findall(r"<button[^>]*>(.*?)</button>", table)
    row = next(r for r in re.findall(r"<tr>(.*?)</tr>", table) if f"</i>{arm}<" in r)
    texts = [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)]
    return dict(zip(heads, texts, strict=True))


def unfolded(html: str) -> str:
    """What is seen without opening anything."""
    return re.sub(r"(?s)</summary>.*?</details>", "</summary>", html)


def test_the_numbers_are_in_both_forms(reports: Path) -> None:
    errors = np.array([19, 17, 15, 18, 16])  # of 200; 0.03 more of them are 6 more, each + ½
    ratio = np.exp(np.mean(np.log((errors + 0.5) / (errors + 6.5))))
    for page in both(reports):
        assert "Validation chooses he_normal: test accuracy" in page
        assert "91.5 (90.5…92.5)" in page  # of 0.905 … 0.92, by hand: 0.915 ± 2.776·sd/√5
        assert (
            "Pretraining hurts: B on A, freeze then thaw, against B from scratch -3.0 poi" in page
        )
        assert f"{1 / ratio:.2f} times more errors" in page
        assert "contradicted" in page
        assert "Every pair" not in page


def test_the_answer_comes_first_and_the_rest_is_folded(reports: Path) -> None:
    html, markdown = both(reports)
    seen = unfolded(html)
    order = ["<h1>", "<b>Transfer.</b>", '<figure class="chart">', '<nav aria-label="Contents">']
    order += [f' id="{anchor}"' for anchor in ("study-initializer", "transfer", "claims", "about")]
    places = [seen.index(part) for part in order]
    assert places == sorted(places)
    for line in re.findall(r"<tr>(.*?)</tr>", section(seen, "study-initializer")):
        assert len(re.findall(r"<t[hd]", line)) == 6
    for folded in ("ties", "epochs to", "made up, 240 samples of 4", "dvc metrics show"):
        assert folded in html
        assert folded not in re.sub(r"<summary>.*?</summary>", "", seen), folded
        assert folded in markdown.partition("\n## Details\n")[2]


def test_the_contents_say_what_is_best_and_whether_that_matters(reports: Path) -> None:
    html, _ = both(reports)
    links = dict(re.findall(r'<li><a href="#([^"]+)">[^<]*</a> <span>([^<]*)</span>', html))
    assert links["study-initializer"].startswith("he_normal; worse: ")
    assert links["study-initializer"].endswith(" and zeros")
    assert links["study-activation"] == "not run"
    assert links["transfer"] == "hurts"
    assert list(links)[-1] == "about"
    for anchor in links:
        assert html.count(f' id="{anchor}"') == 1


def test_both_forms_have_the_same_headings_and_tables(reports: Path) -> None:
    html, markdown = both(reports)
    main, _, details = markdown.partition("\n## Details\n")
    headings = re.findall(r"<h([12])[^>]*>(.*?)</h", html)
    assert headings.pop() == ("2", "About this run")  # all of it is folded
    assert "\n### About this run\n" in details
    ours = re.findall(r"(?m)^(##?) (.*)$", re.sub(r"(?s)```.*?```", "", main))
    assert headings == [(str(len(signs)), title) for signs, title in ours]
    folds = [t for t in re.findall(r"<summary>(.*?)</summary>", html) if t[:8] != "Pictures"]
    assert re.findall(r"(?m)^#### (.*)$", details) == folds
    heads = re.findall(r"<thead><tr>(.*?)</tr></thead>", html)
    titles = [re.findall(r"<button[^>]*>(.*?)</button>", head) for head in heads]
    rules = [line.strip("| ").split(" | ") for line in re.findall(r"(?m)^(.*)\n\| -.*$", markdown)]
    assert sorted(titles) == sorted(rules)
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert html.count("<tr>") == len(rows) - len(heads)  # each table has a rule below its head


def test_the_page_is_built_for_everybody(reports: Path) -> None:
    html, _ = both(reports)
    assert html.count("<h1>") == html.count("<main ") == 1
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert all(below <= above + 1 for above, below in pairwise(levels))
    assert html.count("<caption>") == html.count("<table>") > 0
    assert html.count("<figcaption>") == html.count("<figure") > 0
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_what_a_file_of_the_user_says_is_no_markup(project: Path) -> None:
    card = read_sealed(project / "prepared/card.json")
    card["tasks"]["full"]["class_names"] = ["a|b", "<script>", "R&D"]
    write_sealed(project / "prepared/card.json", card)
    html, markdown = both(run(project))
    assert "a|b, &lt;script&gt;, R&amp;D" in html
    assert "<script>" not in html
    assert "| full | a\\|b, \\<script>, R&D | 20 | 20 | 200 |" in markdown


def test_the_page_says_what_was_understood_of_the_data(reports: Path) -> None:
    lines = [line.replace("*", "") for line in both(reports)[1].splitlines()]
    assert "- Name: made up, 240 samples of 4 features (2 × 2)" in lines
    assert "- Task: binary; the target sort is classes, since it is text" in lines
    assert "- Split: drawn anew by every seed" in lines
    assert "- Look at: copies: 3 rows are the same as one before them" in lines
    assert "1 to look at</summary>" in both(reports)[0]


NAMES = {"</script><b>relu</b>": 0.10, "a|b `c` *d*": 0.09, "초기화 He": 0.03, "$x$ & #010203": 0.9}


def test_names_that_people_write_are_shown_as_they_are(tmp_path: Path) -> None:
    arms = dict(NAMES, a=0.2)  # in transfer that is model A, here it is an arm
    task = {"class_names": ["T-shirt/top <x>", "_y_"], "train": {"n": 2}, "validation": {"n": 1}}
    task["digest"] = "d" * 64
    card = {"name": "<i>Bäume</i>", "n": 4, "features": 1, "feature_shape": [1], "digest": "f" * 64}
    card |= {
        "shape": [1],
        "size": "4 samples of 1 features",
        "kind": "binary",
        "why": "classes",
        "target": {"name": "*sort*"},
        "splits": "fixed",
        "warnings": ["constant: <u>; says nothing"],
        "source": "`here`",
        "licence": "none",
        "tasks": {"full": task | {"test": {"n": 200, "classes": {"x": 200}}}},
    }
    write_sealed(tmp_path / "prepared/card.json", card)
    write(tmp_path / "results/compare/initializer", study(arms, seeds=6, n_test=200))
    reports = run(tmp_path)
    html, markdown = both(reports)
    assert not re.search(r"<(b|i)>(relu|Bäume)", html)
    assert "a|b `c` *d*" in html  # neither code nor emphasis
    for name in (*arms, "T-shirt/top <x>", "<i>Bäume</i>", "`here`", "*sort*", "constant: <u>"):
        assert escape(name, quote=False) in html
    assert "model A" not in section(html, "study-initializer")
    seen = MarkdownIt("commonmark").enable("table").render(markdown)
    for name in (*arms, "T-shirt/top <x>", "_y_", "`here`"):
        assert escape(name, quote=False) in seen.replace("&quot;", '"')
    drawn = {row["label"] for spec in specs(reports) for row in spec["data"].get("values", ())}
    assert drawn == set(arms)


def specs(reports: Path) -> list[dict]:
    """The pictures of the page, as Vega-Lite."""
    html = (reports / "report.html").read_text()
    found = re.findall(r'(?s)<script type="application/json">(.*?)</script>', html)
    return [json.loads(text) for text in found]


def test_ties_share_a_letter_and_verdicts_stand_in_the_answer(project: Path) -> None:
    nearly = [a + d for a, d in zip(ACCURACIES, [0.02, -0.02, 0.01, 0.0, 0.01], strict=True)]
    far = [a - 0.1 - d for a, d in zip(ACCURACIES, [0.0, 0.01, 0.0, 0.02, 0.0], strict=True)]
    near = [a - 0.0005 for a in ACCURACIES]
    arms = {"none": ACCURACIES, "norm": nearly, "value": far, "global_norm": near}
    records = [
        r
        for arm, values in arms.items()
        for r in finished(
            arm,
            values,
            study="clipping",
            val_accuracy=(0.95 if arm == "none" else 0.9,),
            settings={"splits": "resampled"},
        )
    ]
    write(project / "results/compare/clipping", records)
    html, _ = both(run(project))
    ours = {arm: cells(html, "study-clipping", arm) for arm in arms}
    ties = [cells(html, "study-clipping", arm, 1)["ties"] for arm in arms]
    assert ties == ["a", "a", "b", "a"]
    assert [ours[arm]["verdict"] for arm in ours] == [
        "reference",
        "open",
        "worse",
        "practically equal",
    ]
    assert ours["value"]["seeds"] == "5"
    shown = re.findall(r'data-value="(\d)">[a-z ]+</td>', section(html, "study-clipping"))
    assert sorted(shown) == ["0", "2", "3", "4"]  # that is how verdicts are sorted
    assert "Of 3 others 1 is worse, 1 practically equal and 1 open." in html
    assert "On these data, split and trained anew 5 times, validation chooses none" in html
    assert "Practically equal to it (within 1 point): arm global_norm. Worse: arm value." in html
    assert "Open: arm norm." in html
    for word in ("beyond doubt", "certain", "ignificant"):
        assert word not in html


def test_a_shared_test_set_is_said_and_nothing_of_new_data(project: Path) -> None:
    records = [
        record
        for arm, values in {"none": ACCURACIES, "value": [a - 0.1 for a in ACCURACIES]}.items()
        for record in finished(arm, values, study="clipping", settings={"splits": "official"})
    ]
    write(project / "results/compare/clipping", records)
    official = PARAMS.data.model_copy(update={"splits": "official"})
    text = (run(project, PARAMS.model_copy(update={"data": official})) / "report.md").read_text()
    assert "On the official test set, all other data split and trained anew 5 times, " in text
    assert (
        "All seeds share the official test set: intervals speak of the other data split and "
        "trained anew, not of other test samples or new data."
    ) in text
    assert "each with its own split of all data but the official test set and a learning" in text
    assert "new data like these" not in text
    # of splits of everything the same results say so
    drawn = [dataclasses.replace(r, settings={"splits": "resampled"}) for r in records]
    write(project / "results/compare/clipping", drawn)
    text = (run(project) / "report.md").read_text()
    assert "for new data like these they are" in text
    assert "official" not in text


def test_of_an_arms_rates_the_one_of_most_seeds_is_shown(project: Path) -> None:
    test = {"test_accuracy": 0.9, "test_loss": 0.1}
    records = [trial("none", s, (0.1, 0.3, 0.3)[s], test=test, study="clipping") for s in range(3)]
    records += [trial("norm", s, 0.1, test=test, study="clipping") for s in range(3)]
    write(project / "results/compare/clipping", records)
    html, _ = both(run(project))
    for arm, rate, of_seeds in (("none", "0.3", "0.1 × 1, 0.3 × 2"), ("norm", "0.1", "0.1")):
        assert cells(html, "study-clipping", arm)["learning rate"] == rate
        assert cells(html, "study-clipping", arm, 1)["rates by seeds"] == of_seeds


def test_an_arm_still_at_the_end_of_its_grid_is_marked(project: Path) -> None:
    test = {"test_accuracy": 0.9, "test_loss": 0.1}
    records = [
        trial(arm, s, rate, test=test if rate == best else None, study="clipping")
        for arm, rates, best in (
            ("none", (0.1, 0.3, 1.0), 0.3),
            ("value", (0.1, 0.3, 1.0, 3.33), 3.33),
            ("norm", (0.0333, 0.1, 0.3, 1.0), 0.0333),
        )
        for rate in rates
        for s in range(3)
    ]
    write(project / "results/compare/clipping", records)
    html, text = both(run(project))
    rates = [
        cells(html, "study-clipping", arm)["learning rate"] for arm in ("none", "value", "norm")
    ]
    assert rates == ["0.3", "3.33*", "0.0333*"]
    assert "highest learning rate was best even in a grid extended once for value (3.33)" in text
    assert "lowest learning rate was best even in a grid extended once for norm (0.0333)" in text


def test_times_of_training_are_in_the_report_alone(project: Path) -> None:
    """A curve reaches the target of 0.855 after 2 + 0.055 / 0.08 epochs, at 20 ms each: 54 ms."""
    curve = [0.5, 0.8, 0.88, 0.9]
    records = [
        trial(
            arm,
            s,
            val_accuracy=curve,
            val_loss=[1.0, 0.5, 0.4, 0.3],
            test={"test_accuracy": 0.9, "test_loss": 0.1},
            study="clipping",
        )
        for arm in ("none", "norm")
        for s in range(3)
    ]
    write(project / "results/compare/clipping", records)
    timings = {
        "seconds": 1.0,
        "machine": {"cpu": "c", "cores": 2},
        "versions": {},
        "arms": {"norm": {"seconds_per_epoch": 0.02}},
    }
    write_sealed(project / "results/times/compare/clipping.json", timings)
    html, _ = both(run(project))
    speed = ["epochs to 85.5 %", "seeds that reach it", "seconds to it", "ms / epoch"]
    ours = {arm: cells(html, "study-clipping", arm, 2) for arm in ("norm", "none")}
    assert [ours["norm"][column] for column in speed] == ["2.7", "100 %", "0.054", "20.0"]
    assert [ours["none"][column] for column in speed] == ["2.7", "100 %", "–", "–"]
    assert "On 2 cores of c." in html


def test_an_arm_has_one_colour_in_the_whole_page(project: Path) -> None:
    """zeros is the fourth arm of its study, and the second of another one."""
    for name, arms in {"initializer": "a b c zeros", "clipping": "none zeros"}.items():
        records = [r for arm in arms.split() for r in finished(arm, ACCURACIES, study=name)]
        write(project / "results/compare" / name, records)
    reports = run(project)
    colours = read_sealed(reports / "colours.json")
    assert colours["initializer"]["zeros"] == colours["clipping"]["zeros"]
    dots: dict[str, set[str]] = {}
    for hue, arm in re.findall(r'background: (#\w+)"></i>(\w+)<', both(reports)[0]):
        dots.setdefault(arm, set()).add(hue)
    for study_ in ("initializer", "clipping"):
        assert {arm: dots[arm] for arm in colours[study_]} == {
            arm: {hue} for arm, hue in colours[study_].items()
        }


def test_the_page_loads_nothing(reports: Path) -> None:
    html, _ = both(reports)
    assert not re.findall(r"(?:src|href)=\"(?!#|data:image/png;base64,)", html)
    style = re.search("(?s)<style>(.*?)</style>", (reports / "report.html").read_text())
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert "prefers-color-scheme: dark" in style[1]
    for spec in specs(reports):
        assert "http" not in json.dumps(spec["data"])
        assert "url" not in spec["data"]


@pytest.mark.parametrize(("labels", "verdict"), [(20, "supported"), (50, "open")])
def test_fewer_labels_are_held_against_more_of_them_only(
    project: Path, labels: int, verdict: str
) -> None:
    more = finished("scratch", [a - 0.05 for a in ACCURACIES], stage="transfer", study="labels_50")
    write(project / "results/transfer/labels/50", more)
    transfer = PARAMS.transfer.model_copy(update={"train_size": labels})
    parameters = PARAMS.model_copy(update={"transfer": transfer})
    judged = judge(parameters, project / "results", project / "prepared")
    verdicts = {claim.id: claim.verdict for claim in judged.claims}
    assert verdicts["transfer-fewer-labels"] == verdict
    assert verdicts["he-for-relu"] == verdicts["no-zeros"] == "supported"
    assert verdicts["transfer"] == "contradicted"
    assert verdicts["selu-over-elu"] == "open"  # that study was not run


def test_of_many_starts_those_are_given_in_numbers_that_differ_from_scratch(
    project: Path,
) -> None:
    shifts = {
        "scratch": [0.0] * 5,
        "on_a": [0.03, -0.03, 0.0, 0.01, -0.01],
        "on_stacked": [0.03, 0.03, 0.03, 0.03, 0.035],
        "on_a_head_only": [-0.01, 0.01, 0.0, 0.01, -0.01],
        "on_a_first_1": [0.01, 0.01, 0.0, -0.01, -0.01],
    }
    records = [
        record
        for arm, shift in shifts.items()
        for record in finished(
            arm, [a + s for a, s in zip(ACCURACIES, shift, strict=True)], stage="transfer", study=""
        )
    ]
    write(project / "results/transfer", records)
    html, text = both(run(project))
    line = next(line for line in text.splitlines() if line.startswith("**Transfer.**"))
    start, _, end = line.partition(" +0.0 points (")
    assert start.endswith(
        "is not shown to help or hurt: B on A, freeze then thaw, against B from scratch"
    )
    assert end.endswith("Of 4 pretrained starts 1 is better and 3 open.")
    assert "Better than from scratch: B on stacked autoencoders." in text
    assert cells(html, "transfer", "B on A, first layer")["verdict"] == "open"


def test_a_start_that_is_no_network_has_no_rate_and_no_epochs(project: Path) -> None:
    records = [*read_records(project / "results/transfer/records.parquet")]
    for arm, shift in (("on_a_linear", 0.01), ("on_a_knn", -0.2)):
        values = [a + shift for a in ACCURACIES]
        one = finished(arm, values, stage="transfer", study="", learning_rate=0.0)
        records += [dataclasses.replace(r, validation={"C": 0.1}) for r in one]
    write(project / "results/transfer", records)
    html, text = both(run(project))
    row = cells(html, "transfer", "B on A, logistic regression")
    assert row["learning rate"] == "–"
    assert (
        "B on A, nearest neighbours"
        in text[text.index("Worse than from scratch") :].partition(".")[0]
    )
    assert "epochs, but for B on A, logistic regression and B on A, nearest neighbours: " in text
    transfer = judge(PARAMS, project / "results", project / "prepared").transfer
    assert transfer
    assert transfer.summary.arms["on_a_linear"].epochs_to_target is None
    assert transfer.summary.arms["on_a"].epochs_to_target
    assert transfer.summary.learning_rates == (0.1,)


def test_the_same_results_give_the_same_bytes(project: Path, reports: Path) -> None:
    first = (reports / "report.html").read_bytes()
    assert (run(project) / "report.html").read_bytes() == first


def test_one_learning_rate_and_missing_stages_are_tolerated(project: Path) -> None:
    (project / "results/transfer/records.parquet").unlink()
    lone = finished("none", [0.9, 0.9], study="clipping")
    lone += finished("norm", [0.8, 0.8], study="clipping")
    write(project / "results/compare/clipping", lone)
    html, _ = both(run(project))
    assert "The stage <code>transfer</code> was not run." in html
    assert "The stage <code>pretrain</code> was not run." in html
    assert "was not run: <code>dvc repro compare@activation" in section(html, "study-activation")
    assert "Open: arm norm." in html


def test_without_data_and_results_there_is_still_a_page(tmp_path: Path) -> None:
    reports = run(tmp_path)
    for page in both(reports):
        assert "The data have not been prepared" in page
        assert "Was not run." in page
    assert specs(reports) == []


def test_the_kept_trial_of_every_encoder_is_shown(project: Path) -> None:
    missing = "The stage <code>autoencode</code> was not run."
    assert missing in both(run(project))[0]
    folder = project / "results/autoencode"
    nan = (float("nan"),)
    records = [
        trial("denoising", 0, 0.03, val_loss=(0.5, 0.1234), val_accuracy=nan * 2, test=nothing()),
        trial("denoising", 0, 0.1, val_loss=(0.6, 0.4321), val_accuracy=nan * 2),
        trial("denoising", 1, 0.1, val_loss=(0.5, 0.1236), val_accuracy=nan * 2, test=nothing()),
        trial("rotation", 0, 0.3, val_loss=(0.5,), val_accuracy=(0.875,), test=nothing()),
    ]
    write(folder, records)
    draw = np.random.default_rng(0)
    np.savez(
        folder / "shown.npz",
        originals=np.array([[0, 16, 8, 4], [4, 8, 16, 0]], "float32"),
        denoising_reconstructions=np.array([[16, 0, 8, 4]], "float32"),
        denoising_filters=draw.normal(size=(12, 4)),
        rotation_filters=draw.normal(size=(12, 4)),
    )
    html, markdown = both(run(project))
    assert "| denoising | 2 | 0.03 or 0.1 | 0.1235 | 0.1235 | – |" in markdown
    assert "| rotation | 1 | 0.3 | 0.5000 | 0.5000 | 87.5 % |" in markdown
    assert "0.4321" not in markdown  # of a learning rate that was not chosen
    assert "after denoising." in html
    pngs = [base64.b64decode(uri) for uri in re.findall(r"base64,([^\"]+)", html)]
    shown, *filters = (
        np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")) / 255 for png in pngs
    )
    assert len(filters) == 2
    assert shown.shape == (6, 30, 4)  # two rows of ten 2 × 2 images, a gap after each
    np.testing.assert_allclose(shown[:2, :2, 0] * 16, [[0, 16], [8, 4]], atol=0.1)
    np.testing.assert_allclose(shown[:2, 3:5, 0] * 16, [[4, 8], [16, 0]], atol=0.1)
    np.testing.assert_allclose(shown[3:5, :2, 0] * 16, [[16, 0], [8, 4]], atol=0.1)
    assert shown[2, :, 3].max() == shown[:, 2, 3].max() == 0


def nothing() -> dict[str, float]:
    """The test metrics of an encoder: it is never tested."""
    return {"test_loss": float("nan"), "test_accuracy": float("nan")}


def test_what_was_seen_in_the_layers_is_said_and_drawn(project: Path) -> None:
    def rows(arm: str, seed: int, epoch: int, layers: int = 3, **given: float) -> list[dict]:
        probes = [
            LayerProbe(
                epoch=epoch,
                layer=layer,
                name=f"layer {layer}",
                activation_mean=0.0,
                activation_deviation=10.0**-layer,
                output_gradient=1.0,
                gradient_norm=1.0,
                **given,
            )
            for layer in range(1, layers + 1)
        ]
        return looks(probes, study="initializer", arm=arm, seed=seed, learning_rate=0.1)

    write_looks(
        project / "results/compare/initializer/diagnostics.parquet",
        rows("he_normal", 0, 0)
        + rows("he_normal", 0, 4, dead=0.87, clipped=0.25, clip_cosine=0.5)
        + rows("he_normal", 1, 4, dead=1.0, gamma_mean=7.0)
        + rows("untrained", 0, 0, layers=5),
    )
    html, markdown = both(run(project))
    dead = (
        "after epoch 4, layer 3: 87 % of its units are dead, and more than 40 % in 2 other layers"
    )
    for page in (html, markdown):
        assert dead in page
        assert "untrained" in page
        assert "their deviation falls from 0.1 to 0.0001 over 4 layers" in page
    assert "<summary>Layers: look at he_normal and untrained</summary>" in html
    assert "<td>25 %</td><td>0.500</td>" in re.sub(' data-value="[^"]*"', "", html)
    assert "γ" not in html  # of another seed
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html)
    for quantity in ("Deviation of activations", "Back-propagated gradient, root mean square"):
        for depth in (2, 4):
            of_both = [c for c in captions if c.startswith(f"{quantity} over {depth} hidden")]
            assert len(of_both) == 1


def test_every_pair_of_classes_has_its_row() -> None:
    records = {(0, 1): [a + 0.03 for a in ACCURACIES], (0, 2): ACCURACIES[::-1]}
    judged = {}
    for pair, on_a in records.items():
        both_arms = finished("scratch", ACCURACIES, stage="transfer", study="")
        both_arms += finished("on_a", on_a, stage="transfer", study="")
        summary = summarize(
            both_arms, data_name="d", n_test=200, chance=0.1, margin=0.01, reference="scratch"
        )
        judged[pair] = Results(summary=summary, records=tuple(both_arms), timings={})
    found = judge_pairs(judged, ("x", "<y>", "z", "w"), np.eye(4))
    text = to_markdown(transfer_sections.pairs(found))
    assert "#### Every pair of classes as task B: 2 pairs" in text
    assert "Over all 2 pairs of classes" in text
    rows = [line for line in text.splitlines() if line.startswith("| x, ")]
    assert [row.strip(" |").split(" | ")[7] for row in rows] == ["helps", "open"]
    assert "| 91.5 % (90.5 to 92.5) | 94.5 % (93.5 to 95.5) | +3.0 points" in rows[0]
    assert to_markdown(transfer_sections.pairs(None)).strip() == ""
