"""A server of Prefect's that does not do its part costs a flow lines and seconds, and no stage."""

import re
import subprocess
import time
from pathlib import Path

import pytest
from dripping import Relay

from foreign_project import Server, environment, flow_command, wait_until

pytestmark = pytest.mark.slow

IMPATIENT = {"PREFECT_API_REQUEST_TIMEOUT": "8", "PREFECT_CLIENT_MAX_RETRIES": "0"}
TALKS = """\
import pathlib, sys, time
print("began", flush=True)
while not pathlib.Path("silent").exists():
    time.sleep(0.05)
for part in range(0, 100, 10):
    print(f"talks: {part:3}%|", file=sys.stderr, flush=True)
print("x" * 200_000)  # more than a pipe holds
pathlib.Path("talks.txt").write_text("done")
"""


def test_a_server_that_goes_silent_costs_no_stage(project: Path, server: Server) -> None:
    (project / "talks.py").write_text(TALKS)
    with (project / "dvc.yaml").open("a") as file:
        file.write(
            "  talks:\n    cmd: python talks.py\n    deps: [talks.py]\n    outs: [talks.txt]\n"
        )
    with Relay(server.url.split("/")[2]) as relay, (project / "log").open("w") as log:
        settings = {"PREFECT_API_URL": f"http://{relay.address}/api", **IMPATIENT}
        flow = subprocess.Popen(
            flow_command("talks"), cwd=project, env=environment(**settings), stdout=log, stderr=log
        )
        said = (project / "log").read_text
        try:
            wait_until(lambda: "began" in said() or flow.poll() is not None, said)
            relay.silence()
            silent = time.monotonic()
            (project / "silent").touch()
            flow.wait(120)
        finally:
            flow.kill()
            flow.wait()
    assert (project / "talks.txt").read_text() == "done"
    assert "talks goes on without its progress bar, received" in said()
    assert "not all that the run's page shows is there, received ReadTimeout" in said()
    assert re.search(r"^talks +Ran ", said(), re.MULTILINE)
    assert time.monotonic() - silent < 90
