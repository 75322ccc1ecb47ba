"""`make screenshots`: the pictures in README.md and docs/, of the pages as they are now; below
.warmstart/screenshots the same pages on a phone.

Needs the results of `make run` and Chromium; the flow that is pictured trains everything anew, with
another seed, in a git worktree.
"""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vl_convert
from playwright.sync_api import Page, Route, ViewportSize, sync_playwright

from warmstart.login import known

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs/images"
LOOKED_AT = ROOT / ".warmstart/screenshots"
DESK: ViewportSize = {"width": 1440, "height": 810}
# a browser that calls nobody
FLAGS = "no-sandbox disable-gpu disable-quic disable-background-networking disable-component-update"
FIGURES = {
    "ranking": "activation/ranking",
    "gradients": "depth/gradients-20",
}
"""Picture -> the report's figure."""
REPORT = {"report": (1400, 900, "light"), "report_phone": (400, 800, "dark")}
"""Picture -> width and height of the report's first screen in pixels, and its colours."""


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium or not (ROOT / "reports/report.html").exists():
        print("expected Chromium and reports/report.html; install it, `make run`", file=sys.stderr)
        return 2
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        args = [f"--{flag}" for flag in FLAGS.split()]
        browser = playwright.chromium.launch(executable_path=chromium, args=args)
        page = browser.new_page(viewport=DESK)
        picture_report(page)
        picture_mlflow(page)
        picture_dvc(page, Path(folder) / "plots")
        picture_prefect(page, Path(folder) / "prefect")
        browser.close()
    print(*sorted(path.name for path in IMAGES.glob("*.png")))
    return 0


def picture_report(page: Page) -> None:
    for name, (width, height, scheme) in REPORT.items():
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.goto((ROOT / "reports/report.html").as_uri())
        page.locator("figure.chart svg").first.wait_for()
        page.screenshot(path=picture(name))
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESK)
    for name, place in FIGURES.items():
        svg = (ROOT / f"reports/figures/{place}.svg").read_text(encoding="utf-8")
        picture(name).write_bytes(vl_convert.svg_to_png(svg, scale=2))


def picture_mlflow(page: Page) -> None:
    """What somebody sees who opens the address that `make mlflow` prints, and clicks."""
    with serving("warmstart", "mlflow") as url:
        coded = base64.b64encode(known().encode()).decode()  # asked for where others have accounts
        page.set_extra_http_headers({"Authorization": f"Basic {coded}"})
        page.goto(url)
        page.get_by_role("link", name="warmstart/activation").click(timeout=60_000)
        for name, mode in {"mlflow_ranking": "TABLE", "mlflow_curves": "CHART"}.items():
            if mode != "TABLE":
                page.goto(f"{page.url}&compareRunsMode={mode}")
            page.get_by_role("link", name="selu").first.wait_for()
            page.wait_for_timeout(5000)
            shoot(page, name)
    page.set_extra_http_headers({})


def picture_dvc(page: Page, folder: Path) -> None:
    """`dvc plots show`. Its page loads Vega from elsewhere: here from this environment."""
    show = [sys.executable, "-m", "dvc", "plots", "show", "--out", str(folder)]
    subprocess.run(show, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", vl_version="5.20")

    def answer(route: Route) -> None:
        body = vega if "vega-embed" in route.request.url else ""
        route.fulfill(content_type="text/javascript", body=body)

    page.route(re.compile("^https:"), answer)
    page.goto((folder / "index.html").as_uri())
    page.locator("svg, canvas").first.wait_for()
    page.wait_for_timeout(5000)
    shoot(page, "dvc_plots")


def shoot(page: Page, name: str) -> None:
    """At both sizes: a desk's for the docs, and a phone's to be looked at."""
    page.screenshot(path=picture(name))
    LOOKED_AT.mkdir(parents=True, exist_ok=True)
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_timeout(1000)
    page.screenshot(path=LOOKED_AT / f"{name}_phone.png")
    page.set_viewport_size(DESK)


def picture_prefect(page: Page, home: Path) -> None:
    settings = {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    with serving("prefect", "server", "start", **settings) as url:
        flows = [sys.executable, "-m", "flows"]
        known = {**os.environ, **settings, "PREFECT_API_URL": f"{url}/api", "PYTHONPATH": "src"}
        known["WARMSTART_TRIALS"] = "off"  # pictured is a run that trains
        served = subprocess.Popen([*flows, "--serve"], cwd=ROOT, env=known)
        try:
            how = ["--revision", "HEAD", "--set", "seed=43", "--force"]
            subprocess.run([*flows, *how], cwd=ROOT, env=known, check=True)
            ended = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
            (run,) = read(f"{url}/api/flow_runs/filter", ended)
            page.goto(f"{url}/runs/flow-run/{run['id']}")
            page.wait_for_timeout(5000)
            shoot(page, "prefect_run")
        finally:
            served.terminate()
            served.wait(60)


@contextmanager
def serving(*command: str, **settings: str) -> Iterator[str]:
    """A server of this environment on a free port of 127.0.0.1; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    options = ["--port", str(port)] + (["--host", "127.0.0.1"] if command[0] == "prefect" else [])
    known = {**os.environ, **settings, "PREFECT_UI_API_URL": f"{url}/api"}
    full = [sys.executable, "-m", *command, *options]
    with subprocess.Popen(full, cwd=ROOT, env=known, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(url, timeout=5).close()
                    break
                except urllib.error.HTTPError:  # it asks for a login
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.2)
            yield url
        finally:
            process.terminate()


def read(url: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def picture(name: str) -> Path:
    return IMAGES / f"{name}.png"


if __name__ == "__main__":
    sys.exit(main())
