"""The report holds the numbers, and nothing from elsewhere."""

import base64
import dataclasses
import io
import json
import re
import shutil
from collections.abc import Sequence
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
from markdown_it import MarkdownIt

from fabricated import finished, study, trial
from parameters import params
from warmstart.analysis import transfer_sections
from warmstart.analysis.document import to_markdown
from warmstart.analysis.judging import judge
from warmstart.analysis.page import write_report
from warmstart.analysis.pairs import judge_pairs
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import summarize
from warmstart.analysis.style import LIGHT
from warmstart.config.params import Params
from warmstart.files import read_json, write_json
from warmstart.records import Record, looks, write_looks, write_records
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
    write_json(project / "prepared/card.json", card)
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
    """The page as HTML and as Markdown."""
    html, markdown = ((reports / f"report.{kind}").read_text() for kind in ("html", "md"))
    return html, markdown


def test_the_numbers_are_in_both_forms(reports: Path) -> None:
    errors = np.array([19, 17, 15, 18, 16])  # of 200; 0.03 more of them are 6 more, each + ½
    ratio = np.exp(np.mean(np.log((errors + 0.5) / (errors + 6.5))))
    for page in both(reports):
        assert "validation chooses he_normal: test accuracy" in page
        assert "91.5 % (90.5 to 92.5)" in page  # of 0.905 … 0.92, by hand: 0.915 ± 2.776·sd/√5
        assert "-3.0 points" in page
        assert "pretraining hurts" in page
        assert f"{1 / ratio:.2f} times more errors" in page
        assert "contradicted" in page
        assert "Every pair" not in page


def test_both_forms_have_the_same_headings_and_tables(reports: Path) -> None:
    html, markdown = both(reports)
    headings = re.findall(r"<h\d>(.*?)</h\d>", html)
    assert headings == re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?s)```.*?```", "", markdown))
    assert headings[1:4] == ["What was run", "Data", "Transfer: model B on pretrained layers"]
    heads = [re.findall(r"<th(?: .*?)?>(.*?)</th>", h) for h in re.findall("<thead>(.*)", html)]
    rules = re.findall(r"(?m)^(.*)\n\| -.*$", markdown)
    assert heads == [line.strip("| ").split(" | ") for line in rules]
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert html.count("<tr>") == len(rows) - len(heads)  # each table has a rule below its head


def test_what_a_file_of_the_user_says_is_no_markup(project: Path) -> None:
    card = read_json(project / "prepared/card.json")
    card["tasks"]["full"]["class_names"] = ["a|b", "<script>", "R&D"]
    write_json(project / "prepared/card.json", card)
    html, markdown = both(run(project))
    assert "a|b, &lt;script&gt;, R&amp;D" in html
    assert "<script>" not in html
    assert "| full | a\\|b, \\<script>, R&D | 20 | 20 | 200 |" in markdown


def test_the_page_says_what_was_understood_of_the_data(reports: Path) -> None:
    section = (reports / "report.md").read_text().partition("## Data")[2].partition("\n## ")[0]
    lines = [line.replace("*", "") for line in section.splitlines()]
    assert "- Name: made up, 240 samples of 4 features (2 × 2)" in lines
    assert "- Task: binary; the target sort is classes, since it is text" in lines
    assert "- Split: drawn anew by every seed" in lines
    assert "- Look at: copies: 3 rows are the same as one before them" in lines


NAMES = {"<b>relu</b>": 0.10, "a|b `c` *d*": 0.09, "초기화 He": 0.03, "$x$ & #010203": 0.9}


def test_names_that_people_write_are_shown_as_they_are(tmp_path: Path) -> None:
    arms = dict(NAMES, a=0.2)  # in transfer that is model A, here it is an arm
    task = {"class_names": ["T-shirt/top <x>", "_y_"], "train": {"n": 2}, "validation": {"n": 1}}
    task["digest"] = "d" * 64
    card = {"name": "<i>Bäume</i>", "n": 4, "features": 1, "feature_shape": [1], "digest": "f" * 64}
    card |= {
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
    write_json(tmp_path / "prepared/card.json", card)
    write(tmp_path / "results/compare/initializer", study(arms, seeds=6, n_test=200))
    reports = run(tmp_path)
    html, markdown = both(reports)
    page = re.sub(r"(?s)<style>.*?</style>|<svg.*?</svg>", "", html)
    assert not re.search(r"<(b|i)>(relu|Bäume)", html)
    assert "a|b `c` *d*" in page  # neither code nor emphasis
    for name in (*arms, "T-shirt/top <x>", "<i>Bäume</i>", "`here`", "*sort*", "constant: <u>"):
        assert escape(name, quote=False) in page
    assert "model A" not in re.split("Initializer</h2>|Claims</h2>", page)[1]
    seen = MarkdownIt("commonmark").enable("table").render(markdown)
    for name in (*arms, "T-shirt/top <x>", "_y_", "`here`"):
        assert escape(name, quote=False) in seen.replace("&quot;", '"')
    for kind in ("ranking", "curves"):
        tree = ElementTree.parse(reports / f"pictures/initializer_{kind}.svg")
        drawn = {element.text for element in tree.iter() if element.tag.endswith("}text")}
        assert drawn >= set(arms)


def cells(html: str, caption: str, arm: str) -> dict[str, str]:
    """Column -> text of the row of `arm` in the first table below `caption`."""
    table = html[html.index(f"<h2>{caption}") :]
    heads = re.findall(r"<th[^>]*>(.*?)</th>", table[: table.index("</thead>")])
    row = next(r for r in re.findall(r"<tr>(.*?)</tr>", table) if f"</i>{arm}<" in r)
    texts = [re.sub("<[^>]*>", "", c) for c in re.findall(r"<td.*?>(.*?)</td>", row)]
    return dict(zip(heads, texts, strict=True))


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
    html = (run(project) / "report.html").read_text()
    ours = {arm: cells(html, "Clipping", arm) for arm in arms}
    assert [ours[arm]["ties"] for arm in ours] == ["a", "a", "b", "a"]
    assert [ours[arm]["verdict"] for arm in ours] == [
        "reference",
        "open",
        "worse",
        "practically equal",
    ]
    assert ours["value"]["seeds"] == "5"
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
    html = (run(project) / "report.html").read_text()
    assert cells(html, "Clipping", "none")["learning rate"] == "0.3 (2 of 3)"
    assert cells(html, "Clipping", "norm")["learning rate"] == "0.1"


def test_an_arm_still_at_the_end_of_its_grid_is_named_with_its_rate(project: Path) -> None:
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
    text = (run(project) / "report.md").read_text()
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
    write_json(project / "results/times/compare/clipping.json", timings)
    html = (run(project) / "report.html").read_text()
    assert re.search(r"</i>norm</td>.*<td>2.7</td><td>100 %</td><td>0.054</td><td>20.0</td>", html)
    assert re.search(r"</i>none</td>.*<td>2.7</td><td>100 %</td><td>–</td><td>–</td>", html)
    assert "On 2 cores of c." in html
    times = json.loads((project / "reports/plots/times.json").read_text())
    assert [row["arm"] for row in times] == ["norm"] * 4
    assert [row["seconds"] for row in times] == pytest.approx([0.02, 0.04, 0.06, 0.08])
    assert [row["val_accuracy"] for row in times] == curve


def colours_of_dots(html: str) -> dict[str, set[str]]:
    """Arm -> colours of the dots before its name."""
    dots: dict[str, set[str]] = {}
    for slot, arm in re.findall(r'background: var\(--arm-(\d+)\)"></i>(\w+)<', html):
        dots.setdefault(arm, set()).add(slot)
    light = dict(re.findall(r"--arm-(\d+): (#\w+)", html[: html.index("@media")]))
    assert list(light.values()) == list(LIGHT)
    return {arm: {light[slot] for slot in slots} for arm, slots in dots.items()}


def test_fourteen_arms_have_a_colour_each_in_tables_pictures_and_file(project: Path) -> None:
    arms = [f"arm_{number:02}" for number in range(14)]
    accuracies = {arm: [0.9 - 0.01 * n + 0.001 * s for s in range(5)] for n, arm in enumerate(arms)}
    records = [r for arm in arms for r in finished(arm, accuracies[arm], study="clipping")]
    write(project / "results/compare/clipping", records)
    reports = run(project)
    colours = read_json(reports / "colours.json")["clipping"]
    assert list(colours) == arms
    assert len(set(colours.values())) == 14
    dots = colours_of_dots((reports / "report.html").read_text())
    assert {arm: dots[arm] for arm in arms} == {arm: {hue} for arm, hue in colours.items()}
    ranking = (reports / "pictures/clipping_ranking.svg").read_text()
    drawn = re.findall(r'<use [^>]*style="fill: (#\w{6})', ranking.replace("#ffffff", ""))
    assert drawn == [colours[arm] for arm in reversed(arms)]  # the worst is drawn first
    curves = (reports / "pictures/clipping_ranks.svg").read_text()
    assert set(colours.values()) <= set(re.findall(r"stroke: (#\w{6})", curves))


def test_an_arm_has_one_colour_in_the_whole_page(project: Path) -> None:
    """zeros is the fourth arm of its study, and the second of another one."""
    for name, arms in {"initializer": "a b c zeros", "clipping": "none zeros"}.items():
        records = [r for arm in arms.split() for r in finished(arm, ACCURACIES, study=name)]
        write(project / "results/compare" / name, records)
    reports = run(project)
    colours = read_json(reports / "colours.json")
    assert colours["initializer"]["zeros"] == colours["clipping"]["zeros"] == LIGHT[3]
    assert colours_of_dots((reports / "report.html").read_text())["zeros"] == {LIGHT[3]}


def test_critical_differences_are_drawn_where_there_are_groups(reports: Path) -> None:
    html = (reports / "report.html").read_text()
    assert "Mean ranks of 4 arms" in html
    assert html.count("Mean ranks of") == 1  # transfer has two arms: nothing to join


def test_the_page_loads_nothing(reports: Path) -> None:
    html = (reports / "report.html").read_text()
    assert "<script" not in html
    assert not re.findall(r"(?:src|href)=\"(?!#|data:image/png;base64,)", html)
    assert "url(http" not in html
    assert "@import" not in html
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert "prefers-color-scheme: dark" in html


def test_pictures_stand_by_themselves(reports: Path) -> None:
    names = {path.stem for path in (reports / "pictures").glob("*.svg")}
    assert names == {
        "initializer_curves", "initializer_ranking", "initializer_ranks", "initializer_rates",
        "transfer_curves", "transfer_seeds",
    }  # fmt: skip
    for path in (reports / "pictures").iterdir():
        svg = path.read_text()
        assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
        assert "var(--" not in svg
        ElementTree.fromstring(svg)


def test_rows_for_dvc_plots(reports: Path) -> None:
    rows = {path.stem: read_json(path) for path in (reports / "plots").glob("*.json")}
    assert set(rows) == {
        "ranking", "ranks", "learning_curves", "times", "learning_rates", "layers", "transfer",
        "label_efficiency",
    }  # fmt: skip
    assert rows["times"] == []  # no clock was read
    ranks = {row["arm"]: row["ties"] for row in rows["ranks"] if row["study"] == "initializer"}
    assert ranks["he_normal"] == "a"
    assert ranks["zeros"] not in ranks["glorot_normal"]
    assert len(rows["ranking"]) == 2 + 4
    assert next(r["arm"] for r in rows["ranking"] if r["study"] == "initializer") == "he_normal"
    assert len([r for r in rows["learning_curves"] if r["study"] == "initializer"]) == 4 * 20
    assert len(rows["transfer"]) == 2 * 5


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
    text = (run(project) / "report.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("**Transfer.**"))
    open_ = "open (shown to be neither better nor worse than from scratch)"
    assert f"B on A's layers is {open_}, +0.0 points" in line
    assert "Better than from scratch: B on stacked autoencoders." in line
    assert (
        "Open (shown to be neither better nor worse than from scratch): B on A (head only)" in line
    )
    assert line.count("points") == 1


def test_the_same_results_give_the_same_bytes(project: Path, reports: Path) -> None:
    first = (reports / "report.html").read_bytes()
    assert (run(project) / "report.html").read_bytes() == first


def test_one_learning_rate_and_missing_stages_are_tolerated(project: Path) -> None:
    (project / "results/transfer/records.parquet").unlink()
    lone = finished("none", [0.9, 0.9], study="clipping")
    lone += finished("norm", [0.8, 0.8], study="clipping")
    write(project / "results/compare/clipping", lone)
    html = (run(project) / "report.html").read_text()
    assert "The stage <code>transfer</code> was not run." in html
    assert "The stage <code>pretrain</code> was not run." in html
    assert "<h2>Activation</h2>\n<p>The study was not run: <code>dvc repro compare@activ" in html
    assert "Open: arm norm." in html


def test_without_data_and_results_there_is_still_a_page(tmp_path: Path) -> None:
    reports = run(tmp_path)
    for page in both(reports):
        assert "The data have not been prepared" in page
        assert "Was not run." in page
    assert read_json(reports / "plots/transfer.json") == []


def test_the_kept_trial_of_every_encoder_is_shown(project: Path) -> None:
    missing = "The stage <code>autoencode</code> was not run."
    assert missing in (run(project) / "report.html").read_text()
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
    shown, *filters = (matplotlib.image.imread(io.BytesIO(png)) for png in pngs)
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
    reports = run(project)
    html, markdown = both(reports)
    dead = (
        "after epoch 4, layer 3: 87 % of its units are dead, and more than 40 % in 2 other layers"
    )
    for page in (html, markdown):
        assert dead in page
        assert "untrained" in page
        assert "their deviation falls from 0.1 to 0.0001 over 4 layers" in page
    assert "<td>25 %</td><td>0.500</td>" in html
    assert "γ" not in html  # of another seed
    assert html.count('aria-label="Deviation of activations over 2 hidden layers') == 1
    assert html.count('aria-label="Back-propagated gradient, root mean square over 4 hidden') == 1
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert [
        (row["arm"], row["look"], row["layer"], row["activation_deviation"])
        for row in read_json(reports / "plots/layers.json")
    ] == [
        ("he_normal", "first", 1, 0.1),
        ("he_normal", "first", 2, 0.01),
        ("he_normal", "last", 1, 0.1),
        ("he_normal", "last", 2, 0.01),
        *(("untrained", "first", layer, 10.0**-layer) for layer in (1, 2, 3, 4)),
    ]
    # the lines over depth have the colours of the arms' dots
    profile = html[html.index('aria-label="Deviation of activations over 2') :]
    hue = read_json(reports / "colours.json")["initializer"]["he_normal"]
    line = f"stroke: var(--arm-{LIGHT.index(hue)})"
    assert line in profile[: profile.index("</svg>")]


def test_a_curve_ends_in_a_cross_where_its_first_seed_diverged(project: Path) -> None:
    """Both curves end in epoch 2: one was stopped early, one lost one of three seeds."""
    test = {"test_accuracy": 0.6, "test_loss": 1.0}
    whole, nan = (0.5, 0.6, 0.7, 0.8), float("nan")
    for name, outcome, ended in (
        ("stopped", "completed", (0.5, 0.6)),
        ("lost", "diverged", (0.5, 0.6, nan)),
    ):
        records = [
            trial(name, s, val_accuracy=curve, val_loss=(1.0,) * len(curve), test=test, outcome=how)
            for s, (curve, how) in enumerate(((ended, outcome), *((whole, "completed"),) * 2))
        ]
        records += [
            trial("whole", s, val_accuracy=whole, val_loss=(1.0,) * 4, test=test) for s in range(3)
        ]
        write(project / "results/compare/initializer", records)
        reports = run(project)
        rows = read_json(reports / "plots/learning_curves.json")
        assert [row["epoch"] for row in rows if row["arm"] == name] == [1, 2]
        svg = (reports / "pictures/initializer_curves.svg").read_text()
        crosses = re.findall(r"M -4.5 4.5\s+L 4.5 -4.5", svg)
        assert len(crosses) == (outcome == "diverged")


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
    assert "Over all 2 pairs of classes" in text
    rows = [line for line in text.splitlines() if line.startswith("| x, ")]
    assert [row.strip(" |").split(" | ")[7] for row in rows] == ["helps", "open"]
    assert "| 91.5 % (90.5 to 92.5) | 94.5 % (93.5 to 95.5) | +3.0 points" in rows[0]
    assert list(transfer_sections.pairs(None)) == []
