"""Part `scale`: a study of 5,000 trials × 50 epochs in MLflow: published, searched, looked at."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from measuring.process import call
from publishing import browser
from publishing.made_up import write
from publishing.store import ENVIRONMENT, empty, rows, serving

STUDY = "made_up"
RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
PAGE = 100
"""Runs that MLflow's table asks for at a time."""

Row = dict[str, Any]


def measure(folder: Path, quick: bool, repetitions: int) -> list[Row]:
    """One row for each thing that somebody waits for."""
    count, seeds, epochs = (10, 2, 5) if quick else (100, 10, 50)
    arms = [f"arm_{n:03}" for n in range(count)]
    results = folder / "results" / STUDY
    summary = folder / "reports" / "summaries" / f"{STUDY}.json"
    write(results, study=STUDY, arms=arms, rates=RATES, seeds=seeds, epochs=epochs, summary=summary)
    database = empty(folder / "mlflow.db")
    found = [_published(database, results, "publish"), _published(database, results, "again")]
    ((runs, values),) = rows(
        database, "SELECT (SELECT COUNT(*) FROM runs), (SELECT COUNT(*) FROM metrics)"
    )
    trials = count * len(RATES) * seeds
    if runs != trials + count:
        raise AssertionError(
            f"{runs} runs are in MLflow, {trials} trials of {count} arms published"
        )
    mib = database.stat().st_size / 2**20
    found.append({"what": "database", "trials": trials, "runs": runs, "values": values, "mib": mib})
    _say(found)
    with serving(database) as url:
        for rows_of in (_searches, _pages):
            for row in rows_of(url, folder, arms, seeds, repetitions):
                found.append(row)
                _say([row])
    return found


def _published(database: Path, results: Path, what: str) -> Row:
    command = [sys.executable, "-m", "warmstart", "track", "--results", str(results.parent)]
    command += ["--reports", str(results.parents[1] / "reports")]
    command += ["--models", str(results.parents[1] / "models")]
    done = call(command, {**ENVIRONMENT, "MLFLOW_TRACKING_URI": f"sqlite:///{database}"})
    return {
        "what": what,
        "seconds": done.seconds,
        "memory_mib": done.memory_mib,
        "disturbed": done.disturbed,
        "said": done.printed.strip(),
    }


def _searches(
    url: str, folder: Path, arms: list[str], seeds: int, repetitions: int
) -> Iterator[Row]:
    """What the pages ask of the server."""
    os.environ |= ENVIRONMENT
    from mlflow import MlflowClient

    client = MlflowClient(url)
    experiment = client.get_experiment_by_name(f"warmstart/{STUDY}").experiment_id

    def search(filters: str, order: str, whole: bool = False) -> int:
        number, token = 0, None
        while True:
            page = client.search_runs(
                [experiment], filters, max_results=PAGE, order_by=[order], page_token=token
            )
            number, token = number + len(page), page.token
            if not (whole and token):
                return number

    newest = "attributes.start_time DESC"
    trials = "tags.`warmstart.kind` = 'trial'"
    arm = f"tags.`warmstart.arm` = '{arms[-1]}' AND tags.`warmstart.chosen` = 'true'"
    ranked = "tags.`warmstart.kind` = 'summary' AND tags.`warmstart.current` = 'true'"
    ranked += f" AND tags.`warmstart.study` = '{STUDY}'"
    best = "metrics.`val_accuracy` DESC"
    everything = len(arms) * len(RATES) * seeds
    first = min(PAGE, everything)
    searches: dict[str, tuple[Callable[[], int], int]] = {
        "search: ranking": (lambda: search(ranked, "metrics.`rank` ASC"), min(PAGE, len(arms))),
        "search: seeds of an arm": (lambda: search(arm, newest), seeds),
        "search: newest trials, one page": (lambda: search(trials, newest), first),
        "search: best trials, one page": (lambda: search(trials, best), first),
        "search: all trials, page by page": (lambda: search(trials, newest, True), everything),
    }
    for what, (ask, expected) in searches.items():
        yield {"what": what, "runs": expected} | _timed(ask, expected, repetitions)


def _pages(url: str, folder: Path, arms: list[str], seeds: int, repetitions: int) -> Iterator[Row]:
    """What somebody sees, in Chromium."""
    executable = browser.chromium()
    if not executable:
        print("pages are left out: they need playwright and Chromium (Debian's package chromium)")
        return
    os.environ |= ENVIRONMENT
    from mlflow import MlflowClient

    client = MlflowClient(url)
    experiment = client.get_experiment_by_name(f"warmstart/{STUDY}").experiment_id
    (run,) = client.search_runs([experiment], f"tags.`warmstart.arm` = '{arms[0]}'", max_results=1)
    runs = f"{url}/#/experiments/{experiment}/runs?workflowType=machine_learning"
    view = f"{runs}&viewStateShareKey=ranking"
    trials = quote("tags.`warmstart.kind` = 'trial'")
    links, curves = '[role="gridcell"][col-id*="Name"] a', ".js-plotly-plot .scatterlayer .trace"
    pages = {  # address, what is to be seen, how many at least
        "page: ranking": (view, links, min(10, len(arms))),
        "page: curves of the ranking": (f"{view}&compareRunsMode=CHART", curves, 4),
        "page: trials": (f"{runs}&searchFilter={trials}", links, 10),
        "page: curves of trials": (
            f"{runs}&searchFilter={trials}&compareRunsMode=CHART",
            curves,
            4,
        ),
        "page: one run's curves": (
            f"{url}/#/experiments/{experiment}/runs/{run.info.run_id}/model-metrics",
            curves,
            4,
        ),
    }
    with browser.opened(executable) as page:
        for what, (address, shown, least) in pages.items():
            name = what.removeprefix("page: ").replace(" ", "_").replace("'", "")
            taken = [
                browser.seconds_until(page, address, shown, least, folder / f"{name}.png")
                for _ in range(repetitions)
            ]
            yield {
                "what": what,
                "shown": page.locator(shown).count(),
                "seconds": median(taken),
                "seconds_range": [min(taken), max(taken)],
            }


def _timed(ask: Callable[[], int], expected: int, repetitions: int) -> Row:
    taken = []
    for _ in range(repetitions):
        began = time.perf_counter()
        received = ask()
        taken.append(time.perf_counter() - began)
        if received != expected:
            raise AssertionError(f"expected {expected} runs, received {received}")
    return {"seconds": median(taken), "seconds_range": [min(taken), max(taken)]}


def lines(rows: list[Row]) -> list[str]:
    found = []
    for row in rows:
        counts = ", ".join(
            f"{row[key]:,.0f} {name}"
            for key, name in (
                ("trials", "trials"),
                ("runs", "runs"),
                ("values", "values"),
                ("shown", "shown"),
                ("mib", "MiB"),
            )
            if key in row
        )
        seconds = f"{row['seconds']:8.2f} s" if "seconds" in row else f"{'':10}"
        found.append(f"{row['what']:<34}{seconds}  {counts}")
    return found


def _say(found: list[Row]) -> None:
    print(*lines(found), sep="\n", flush=True)
