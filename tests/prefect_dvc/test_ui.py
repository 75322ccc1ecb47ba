"""What Prefect's pages show of a run, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from foreign_project import STAGES, FlowRun, Server

pytestmark = pytest.mark.slow
SOON = 30_000  # ms


def test_the_pages_of_a_run(page: Page, first: tuple[Path, FlowRun], server: Server) -> None:
    run = server.flow_run(first[1])
    ui = server.url.removesuffix("/api")
    page.goto(f"{ui}/runs/flow-run/{run['id']}")
    expect(page.get_by_text(run["name"]).first).to_be_visible(timeout=SOON)
    expect(page.get_by_text("Completed").first).to_be_visible(timeout=SOON)
    expect(page.get_by_text(f"{len(STAGES)} Task runs")).to_be_visible(timeout=SOON)
    expect(page.locator("canvas").first).to_be_visible(timeout=SOON)  # the graph

    of_run = {"flow_run_id": {"any_": [run["id"]]}, "key": {"any_": ["dvc-stages"]}}
    (table,) = server.read("artifacts/filter", artifacts=of_run)
    page.goto(f"{ui}/artifacts/artifact/{table['id']}")
    for stage in STAGES:
        row = page.get_by_role("row").filter(has_text=stage)
        expect(row.first).to_contain_text("Ran", timeout=SOON)
