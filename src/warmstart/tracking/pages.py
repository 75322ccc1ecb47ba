"""MLflow's pages as `make mlflow` serves them: whoever opens them for the first time finds
experiments rather than traces, a table with the numbers that arms are ranked by, and no pane of the
assistant in front of it. What somebody chooses there stays chosen.

MLflow keeps all of that in the browser alone. It loads this app by its plugin `mlflow.app`.
"""

import json
import os
import socket
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from warmstart.door import Door
from warmstart.errors import InputError
from warmstart.login import login, others
from warmstart.tracking.experiments import VIEW
from warmstart.tracking.opening import tracking_uri

HOST, PORT = "127.0.0.1", 5000
APP = "warmstart"
"""Name of the plugin, in pyproject.toml."""
_PORTS, _LAST = 100, 65535
_ASSISTANT = "/ajax-api/3.0/mlflow/assistant/"
"""It runs programs on this machine for whoever asks."""
_DEFAULTS = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
}
"""Key in the browser's storage -> value where there is none."""
_SCRIPT = r"""
const defaults = %s;
const stored = Storage.prototype.getItem;
Storage.prototype.getItem = function (key) {
  const value = stored.call(this, key);
  if (value !== null) return value;
  if (key in defaults) return JSON.stringify(defaults[key]);
  const [, experiment] = /-ExperimentPage-\["(\d+)"\]-/.exec(key) ?? [];
  return experiment ? view(experiment) : null;
};
// the experiment's own view, which its publisher keeps with it
function view(experiment) {
  const request = new XMLHttpRequest();
  request.open("GET", `ajax-api/2.0/mlflow/experiments/get?experiment_id=${experiment}`, false);
  request.send();
  const tags = request.status === 200 ? JSON.parse(request.response).experiment.tags : [];
  return tags?.find((tag) => tag.key === "%s")?.value ?? null;
}
if (!location.hash) location.replace("#/experiments");
"""


def create_app() -> Any:
    """MLflow's server, whose page has our defaults, behind a door: itself it lets in pages of every
    port of this machine, and names such as 10.evil.example."""
    from mlflow.server import app as flask
    from mlflow.server.fastapi_app import app

    script = _SCRIPT % (json.dumps(_DEFAULTS), VIEW)
    index = Path(str(flask.static_folder), "index.html").read_text(encoding="utf-8")
    page = index.replace("<head>", f"<head><script>{script}</script>", 1)
    flask.view_functions["serve"] = lambda: page
    return Door(app, login=login() if others() else "", shut=_ASSISTANT)


def free_port(wanted: int = PORT) -> int:
    """`wanted`, or the next port of this machine that is free.

    Raises:
        InputError: none of the next 100 is.
    """
    ports = range(wanted, min(wanted + _PORTS, _LAST + 1)) if wanted > 0 else range(0)
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise InputError(
        f"--port: expected a port from 1 to {_LAST} that is free, or one of the {_PORTS - 1} after "
        f"it, received {wanted}; choose another"
    )


def serve(port: int) -> None:
    """Become MLflow's server, on that port of 127.0.0.1.

    Raises:
        InputError: this package is not installed, so MLflow knows no door of ours.
    """
    if not entry_points(group="mlflow.app", name=APP):
        raise InputError(
            "warmstart: expected to be installed, so that MLflow finds how to serve its pages, "
            "received a folder on the path alone; `make setup`"
        )
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--app-name", APP]
    command += ["--host", HOST, "--port", str(port)]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | os.environ
    # no argument, which every user of the machine sees: it may hold a password
    settings |= {"MLFLOW_BACKEND_STORE_URI": tracking_uri()}
    os.execve(sys.executable, command, settings)
