"""The report holds the numbers, and nothing from elsewhere."""

import base64
import io
import json
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest

from warmstart import diagnostics
from warmstart.analysis.pairs import Pairs, judge
from warmstart.analysis.statistics import summarize
from warmstart.analysis.style import LIGHT
from warmstart.config import params
from warmstart.diagnostics import LayerProbe
from warmstart.files import read_json, write_json
from warmstart.records import Record, Summary, read_records, write_records
from warmstart.stages.report import report
from warmstart.tracking.links import Link

sys.path.append(str(Path(__file__).parents[1] / "analysis"))
from fabricated import finished, study, trial

ROOT = Path(__file__).parents[2]
PARAMS = params.load(ROOT / "params.yaml")
ACCURACIES = [0.905, 0.915, 0.925, 0.91, 0.92]


def write(folder: Path, records: list[Record], reference: str | None) -> None:
    write_records(folder / "records.parquet", records)
    summarize(records, data_name="made up", n_test=200, reference=reference).write(
        folder / "summary.json"
    )


@pytest.fixture(scope="module")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With its report; to be read only."""
    tmp_path = tmp_path_factory.mktemp("project")
    part = {"n": 20, "classes": {"x": 10, "y": 10}}
    task = {"class_names": ["x", "<y>"], "train": part, "validation": part, "test": part}
    card = {
        "name": "made up",
        "n": 60,
        "features": 4,
        "feature_shape": [2, 2],
        "source": "a generator",
        "licence": "none",
        "digest": "f" * 64,
        "tasks": {"full": task, "a": task, "b": task},
    }
    write_json(tmp_path / "prepared" / "card.json", card)
    results = tmp_path / "results"
    transfer = finished("scratch", ACCURACIES, stage="transfer", study="") + finished(
        "on_a", [a - 0.03 for a in ACCURACIES], stage="transfer", study=""
    )
    write(results / "transfer", transfer, "scratch")
    write_json(results / "transfer/pairs/pairs.json", None)  # one task B
    arms = {"glorot_normal": 0.10, "lecun_normal": 0.09, "he_normal": 0.03, "zeros": 0.9}
    write(results / "compare" / "initializer", study(arms, seeds=6, n_test=200), None)
    run(tmp_path)
    return tmp_path


@pytest.fixture
def reports(finished_project: Path) -> Path:
    return finished_project / "reports"


@pytest.fixture
def project(finished_project: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(finished_project, tmp_path / "project"))


def run(project: Path) -> Path:
    output = project / "reports"
    report(PARAMS, project / "results", project / "prepared", project / "models", output)
    return output


def test_the_numbers_are_in_both_reports(reports: Path) -> None:
    html, text = ((reports / name).read_text() for name in ("report.html", "report.md"))
    errors = np.array([19, 17, 15, 18, 16])  # of 200; 0.03 more of them are 6 more, each + ½
    ratio = np.exp(np.mean(np.log((errors + 0.5) / (errors + 6.5))))
    for page in (html, text):
        assert "he_normal has the highest test accuracy" in page
        assert "91.5 % (90.5 to 92.5)" in page  # of 0.905 … 0.92, by hand: 0.915 ± 2.776·sd/√5
        assert "-3.0 points" in page
        assert "pretraining hurts" in page
        assert f"error down by a factor of {ratio:.2f}" in page
        assert "contradicted" in page
        assert "Every pair" not in page
    assert "&lt;y&gt;" in html  # names come from the user's files
    assert "<y>" not in html


def cells(html: str, caption: str, arm: str) -> dict[str, str]:
    """Column -> text of the row of `arm` in the first table below `caption`."""
    table = html[html.index(f"<h2>{caption}") :]
    heads = re.findall(r"<th[^>]*>(.*?)</th>", table[: table.index("</thead>")])
    row = next(r for r in re.findall(r"<tr>(.*?)</tr>", table) if f"</i>{arm}<" in r)
    texts = [re.sub("<[^>]*>", "", c) for c in re.findall(r"<td.*?>(.*?)</td>", row)]
    return dict(zip(heads, texts, strict=True))


def test_ties_share_a_letter_and_say_what_would_part_them(project: Path) -> None:
    nearly = [a + d for a, d in zip(ACCURACIES, [0.01, -0.005, 0.01, 0.0, 0.01], strict=True)]
    far = [a - 0.1 - d for a, d in zip(ACCURACIES, [0.0, 0.01, 0.0, 0.02, 0.0], strict=True)]
    arms = {"none": ACCURACIES, "norm": nearly, "value": far}
    records = [r for arm, found in arms.items() for r in finished(arm, found, study="clipping")]
    write(project / "results/compare/clipping", records, None)
    html = (run(project) / "report.html").read_text()
    ours = {arm: cells(html, "Clipping", arm) for arm in arms}
    assert [ours[arm]["ties"] for arm in ours] == ["a", "a", "b"]
    # differences of 2, -1, 2, 0 and 2 samples: effect 1 / √2 = 0.71 at a level of 0.05 / 3
    assert ours["none"]["it would take"] == "24 seeds"
    assert (ours["value"]["verdict"], ours["value"]["it would take"]) == ("worse", "–")


def test_every_pair_of_classes_has_its_row(project: Path) -> None:
    better = [a + 0.03 for a in ACCURACIES]
    for name, on_a in {"up": better, "level": ACCURACIES[::-1]}.items():
        records = finished("scratch", ACCURACIES, stage="transfer") + finished("on_a", on_a)
        write(project / name, records, "scratch")
    found = {
        pair: (Summary.read(folder / "summary.json"), read_records(folder / "records.parquet"))
        for pair, folder in {(0, 1): project / "up", (0, 2): project / "level"}.items()
    }
    names, means = ("x", "<y>", "z", "w"), np.eye(4)
    judged = judge(found, arm="on_a", reference="scratch", class_names=names, means=means)
    judged.write(project / "results/transfer/pairs/pairs.json")
    assert Pairs.read(project / "results/transfer/pairs/pairs.json") == judged
    output = run(project)
    html, text = ((output / name).read_text() for name in ("report.html", "report.md"))
    for page in (html, text):
        assert "Over all 2 pairs of classes" in page
        assert "helps for 1 (x and" in page
        assert "hurts for none; the others cannot" in page
    rows = [line for line in text.splitlines() if line.startswith("| x, ")]
    assert [row.split(" | ")[7] for row in rows] == ["helps", "not told apart"]
    assert "| 91.5 % (90.5 to 92.5) | 94.5 % (93.5 to 95.5) | +3.0 points" in rows[0]


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
    write(project / "results/compare/clipping", records, None)
    text = (run(project) / "report.md").read_text()
    assert "highest learning rate was best even in a grid extended once for value (3.33)" in text
    assert "lowest learning rate was best even in a grid extended once for norm (0.0333)" in text


def test_the_clock_is_in_the_report_alone(project: Path) -> None:
    """A curve that reaches the target of 0.855 in epoch 3, at 20 ms per epoch: 60 ms."""
    folder = project / "results/compare/clipping"
    test = {"test_accuracy": 0.9, "test_loss": 0.1}
    records = [
        trial(
            arm,
            s,
            val_accuracy=[0.5, 0.8, 0.88, 0.9],
            val_loss=[1.0, 0.5, 0.4, 0.3],
            test=test,
            study="clipping",
        )
        for arm in ("none", "norm")
        for s in range(3)
    ]
    write(folder, records, None)
    write_json(
        folder / "timings.json",
        {
            "seconds": 1.0,
            "machine": {"cpu": "c", "cores": 2},
            "versions": {},
            "arms": {"norm": {"seconds_per_epoch": 0.02}},
        },
    )
    html = (run(project) / "report.html").read_text()
    assert re.search(r"</i>norm</td>.*<td>3.0</td><td>100 %</td><td>0.06</td><td>20.0</td>", html)
    assert re.search(r"</i>none</td>.*<td>3.0</td><td>100 %</td><td>–</td><td>–</td>", html)
    assert "second" not in (folder / "summary.json").read_text()
    times = json.loads((project / "reports/plots/times.json").read_text())
    assert [row["arm"] for row in times] == ["norm"] * 4
    assert [row["seconds"] for row in times] == pytest.approx([0.02, 0.04, 0.06, 0.08])
    assert [row["val_accuracy"] for row in times] == [0.5, 0.8, 0.88, 0.9]


def test_an_arm_has_one_colour_in_the_whole_page(project: Path) -> None:
    """zeros is the fourth arm of its study, and the second of another one."""
    for name, arms in {"initializer": "a b c zeros", "clipping": "none zeros"}.items():
        records = [r for arm in arms.split() for r in finished(arm, ACCURACIES, study=name)]
        write(project / "results/compare" / name, records, None)
    html = (run(project) / "report.html").read_text()
    dots = re.findall(r"var\(--arm-(\d)\)\"></i>zeros<", html)
    assert set(dots) == {"3"}
    assert len(dots) == 4  # two tables of each study


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


def test_rows_for_dvc_plots(reports: Path) -> None:
    output = reports
    rows = {path.stem: json.loads(path.read_text()) for path in (output / "plots").glob("*.json")}
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
    claims = {c["id"]: c["verdict"] for c in json.loads((output / "claims.json").read_text())}
    assert claims["he-for-relu"] == "supported"
    assert claims["no-zeros"] == "supported"
    assert claims["transfer"] == "contradicted"
    assert claims["selu-over-elu"] == "undecided"  # that study was not run


@pytest.mark.parametrize(("labels", "verdict"), [(20, "supported"), (50, "undecided")])
def test_fewer_labels_are_held_against_more_of_them_only(
    project: Path, labels: int, verdict: str
) -> None:
    more = finished("scratch", [a - 0.05 for a in ACCURACIES], stage="transfer", study="labels_50")
    write(project / "results/transfer/labels/50", more, None)
    transfer = PARAMS.transfer.model_copy(update={"train_size": labels})
    known, output = PARAMS.model_copy(update={"transfer": transfer}), project / "reports"
    report(known, project / "results", project / "prepared", project / "models", output)
    claims = {c["id"]: c["verdict"] for c in json.loads((output / "claims.json").read_text())}
    assert claims["transfer-fewer-labels"] == verdict


def test_of_many_starts_those_are_told_in_numbers_that_differ_from_scratch(project: Path) -> None:
    shifts = {
        "scratch": [0.0] * 5,
        "on_a": [0.01, -0.01, 0.0, 0.01, -0.01],
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
    write(project / "results" / "transfer", records, "scratch")
    text = (run(project) / "report.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("- **transfer**"))
    assert "B on stacked autoencoders errs less than from scratch: +3.1 points" in line
    assert "B on A's layers cannot be told apart from scratch: +0.0 points" in line
    assert "Not told apart from scratch: B on A (head only) and B on A (first 1)." in line
    assert line.count("points") == 2


def test_the_same_results_give_the_same_bytes(project: Path, reports: Path) -> None:
    first = (reports / "report.html").read_bytes()
    assert (run(project) / "report.html").read_bytes() == first


def test_one_learning_rate_and_missing_stages_are_tolerated(project: Path) -> None:
    (project / "results/transfer/summary.json").unlink()
    folder = project / "results/compare/clipping"
    lone = finished("none", [0.9, 0.9], study="clipping")
    lone += finished("norm", [0.8, 0.8], study="clipping")
    write(folder, lone, None)
    html = (run(project) / "report.html").read_text()
    assert "The stage <code>transfer</code> was not run." in html
    assert "The stage <code>pretrain</code> was not run." in html
    assert "<h2>Activation</h2>\n<p>The study was not run: <code>dvc repro compare@activ" in html
    assert "Too few seeds to judge norm" in html


def test_without_data_and_results_there_is_still_a_page(tmp_path: Path) -> None:
    output = run(tmp_path)
    assert "The data have not been prepared" in (output / "report.html").read_text()
    assert "Not prepared" in (output / "report.md").read_text()
    verdicts = {c["verdict"] for c in json.loads((output / "claims.json").read_text())}
    assert verdicts == {"undecided"}
    assert json.loads((output / "plots" / "transfer.json").read_text()) == []


def test_encoders_are_shown_where_they_were_trained(project: Path) -> None:
    assert (
        "The stage <code>autoencode</code> was not run."
        in (run(project) / "report.html").read_text()
    )
    folder = project / "results" / "autoencode"
    losses = {"learning_rate": 0.03, "loss": 0.2, "val_loss": 0.1234}
    write_json(folder / "losses.json", {"denoising": losses, "rotation": losses | TURNED})
    draw = np.random.default_rng(0)
    np.savez(
        folder / "shown.npz",
        originals=np.array([[0, 16, 8, 4]], "float32"),
        denoising_reconstructions=np.array([[16, 0, 8, 4]], "float32"),
        denoising_filters=draw.normal(size=(12, 4)),
        rotation_filters=draw.normal(size=(12, 4)),
    )
    html = (run(project) / "report.html").read_text()
    assert "0.1234" in html
    assert "87.5 %" in html
    assert "after denoising." in html
    found = [base64.b64decode(uri) for uri in re.findall(r"base64,([^\"]+)", html)]
    shown, *filters = (matplotlib.image.imread(io.BytesIO(png)) for png in found)
    assert len(filters) == 2
    assert shown.shape == (6, 30, 4)  # two rows of ten 2 × 2 images, a gap after each
    np.testing.assert_allclose(shown[:2, :2, 0] * 16, [[0, 16], [8, 4]], atol=0.1)
    np.testing.assert_allclose(shown[3:5, :2, 0] * 16, [[16, 0], [8, 4]], atol=0.1)
    assert shown[2, :, 3].max() == shown[:, 2, 3].max() == 0


TURNED = {"val_accuracy": 0.875}


def test_what_was_seen_in_the_layers_is_told_and_drawn(project: Path) -> None:
    def looks(arm: str, seed: int, epoch: int, layers: int = 3, **given: float) -> list[dict]:
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
        return diagnostics.rows(probes, study="initializer", arm=arm, seed=seed, learning_rate=0.1)

    diagnostics.write(
        project / "results/compare/initializer/diagnostics.parquet",
        looks("he_normal", 0, 0)
        + looks("he_normal", 0, 4, dead=0.87, clipped=0.25, clip_cosine=0.5)
        + looks("he_normal", 1, 4, dead=1.0, gamma_mean=7.0)
        + looks("untrained", 0, 0, layers=5),
    )
    output = run(project)
    html, text = ((output / name).read_text() for name in ("report.html", "report.md"))
    dead = (
        "after epoch 4, layer 3: 87 % of its units are dead, and more than 40 % in 2 other layers"
    )
    for page in (html, text):
        assert dead in page
        assert "untrained" in page
        assert "their deviation falls from 0.1 to 0.0001 over 4 layers" in page
    assert "<td>25 %</td><td>0.500</td>" in html
    assert "γ" not in html  # of another seed
    assert html.count('aria-label="Deviation of activations over 2 hidden layers') == 1
    assert html.count('aria-label="Back-propagated gradient, root mean square over 4 hidden') == 1
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    rows = json.loads((output / "plots" / "layers.json").read_text())
    assert [(r["arm"], r["look"], r["layer"], r["activation_deviation"]) for r in rows] == [
        ("he_normal", "first", 1, 0.1),
        ("he_normal", "first", 2, 0.01),
        ("he_normal", "last", 1, 0.1),
        ("he_normal", "last", 2, 0.01),
        *(("untrained", "first", layer, 10.0**-layer) for layer in (1, 2, 3, 4)),
    ]


def test_it_links_to_pages_of_the_tracker_and_keeps_its_pictures(project: Path) -> None:
    output = project / "reports"
    url = "http://127.0.0.1:5000/#/experiments/4/runs?a=b&c=d"
    report(
        PARAMS,
        project / "results",
        project / "prepared",
        project / "models",
        output,
        [Link("activation", "ranking", url), Link("activation", "curves", f"{url}&e")],
    )
    line = f"- activation: [ranking]({url}), [curves]({url}&e)\n"
    assert line in (output / "report.md").read_text()
    escaped = url.replace("&", "&amp;")
    html = (output / "report.html").read_text()
    assert f'<li>activation: <a href="{escaped}">ranking</a>, <a' in html
    hues = read_json(output / "colours.json")
    dots = re.findall(r'background: var\(--arm-(\d)\)"></i>(he_normal|glorot_normal)<', html)
    assert {hues["initializer"][arm] for _, arm in dots} == {LIGHT[int(n)] for n, _ in dots}
    names = {path.stem for path in (output / "pictures").glob("*.svg")}
    assert {"initializer_ranking", "initializer_curves", "transfer_seeds"} <= names
    for path in (output / "pictures").iterdir():
        svg = path.read_text()
        assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
        assert "var(--" not in svg  # it stands by itself
        ElementTree.fromstring(svg)
