"""MLflow's pages answer the question at first sight, in a real browser."""

import re
from pathlib import Path

import pytest
from mlflow import MlflowClient
from playwright.sync_api import Page, expect

from made_up_results import made_up, made_up_timings, project_of, publish, write
from saved_models import network, prepare, save
from warmstart.analysis.summary import read_summary
from warmstart.tracking.models import publish_models

pytestmark = pytest.mark.slow

SOON = 30_000  # ms


def test_the_ranking_and_the_curves_of_a_study(
    page: Page, server: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    publish(folder)
    arms = read_summary(project_of(folder).summary(folder)).arms
    ranked = sorted(arms, key=lambda arm: arms[arm].rank)
    experiment = MlflowClient(server).get_experiment_by_name("warmstart/initializer").experiment_id
    view = "viewStateShareKey=ranking&workflowType=machine_learning"
    page.goto(f"{server}/#/experiments/{experiment}/runs?{view}")
    names = page.locator('[role="gridcell"][col-id*="Name"] a')
    expect(names).to_have_text(ranked, timeout=SOON)
    for arm in ranked:
        mean = f"{arms[arm].test.mean:.2f}"
        expect(page.get_by_text(mean).first).to_be_attached(timeout=SOON)

    page.goto(f"{server}/#/experiments/{experiment}/runs?{view}&compareRunsMode=CHART")
    curve = page.locator(".js-plotly-plot .scatterlayer .trace")
    expect(curve.first).to_be_attached(timeout=SOON)
    assert curve.count() >= len(ranked)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of MLflow, when it saves
def test_the_registered_model_shows_its_alias(
    page: Page, server: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    prepare(here / "prepared")
    for right in (1, -1):
        save(network(right=right), here / "models/a.keras", here / "prepared")
        publish_models(here / "models", here / "prepared", here / "results")
    page.goto(f"{server}/#/models/warmstart-a")
    for version, alias in ((1, "champion"), (2, "challenger")):
        row = page.get_by_role("row").filter(has_text=f"Version {version}")
        expect(row).to_contain_text(alias, timeout=SOON)


def test_the_system_metrics_of_a_stage(
    page: Page, server: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What MLflow's monitor logs to it is drawn over time, on a page of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    publish(write(here / "results/compare/depth", *made_up(study="depth"), made_up_timings()))
    api = MlflowClient(server)
    experiment = api.get_experiment_by_name("warmstart/pipeline").experiment_id
    (run,) = api.search_runs([experiment], "tags.`warmstart.kind` = 'stage'")
    for step in range(5):
        when = run.info.start_time + 2000 * step  # ms
        for name in ("cpu_utilization_percentage", "gpu_0_power_usage_watts"):
            value = 10.0 * step
            api.log_metric(run.info.run_id, f"system/{name}", value, timestamp=when, step=step)
    page.goto(f"{server}/#/experiments/{experiment}/runs/{run.info.run_id}/system-metrics")
    for name in ("cpu_utilization_percentage", "gpu_0_power_usage_watts"):
        expect(page.get_by_text(name).first).to_be_visible(timeout=SOON)
    line = page.locator(".js-plotly-plot .scatterlayer .trace path.js-line").first
    expect(line).to_be_attached(timeout=SOON)
    # from left to right; what lies between on a straight line is left out by Plotly
    xs = [float(point.split(",")[0]) for point in re.split("[ML]", line.get_attribute("d"))[1:]]
    assert xs[-1] - xs[0] > 100, "pixels"
    page.goto(f"{server}/#/experiments/{experiment}/runs/{run.info.run_id}")
    expect(page.get_by_text("digits/full").first).to_be_visible(timeout=SOON)
