"""The server that Prefect starts for a flow where it is told of none."""

import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from prefect.settings import get_current_settings, temporary_settings

from foreign_project import dvc, environment, flow_command
from prefect_dvc import dvc_flow


def settings_of_a_run(monkeypatch: pytest.MonkeyPatch, url: str | None) -> Any:
    monkeypatch.setattr(Flow, "__call__", lambda *_, **__: get_current_settings())

    def named() -> None:
        """A flow."""

    with temporary_settings({"api.url": url}):
        return dvc_flow("a flow")(named)()


def test_it_is_for_the_flow_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_of_a_run(monkeypatch, None)
    login = found.api.auth_string.get_secret_value()
    assert re.fullmatch(r"flow:[\w-]{40,}", login)
    assert found.server.api.auth_string.get_secret_value() == login
    assert found.server.api.csrf_protection_enabled
    assert "*" not in found.server.api.cors_allowed_origins
    # the next run in this process meets the same server
    assert settings_of_a_run(monkeypatch, None).api.auth_string.get_secret_value() == login


def test_a_server_that_is_told_of_is_sent_no_login_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings_of_a_run(monkeypatch, "http://127.0.0.1:4200/api")
    assert found.api.auth_string is None


@pytest.mark.slow
def test_nobody_else_is_answered_while_the_flow_runs(project: Path) -> None:
    waits = "stages:\n  alone:\n    cmd: until test -e go; do sleep 0.1; done; echo 7 > alone.txt\n"
    (project / "dvc.yaml").write_text(f"{waits}    outs: [alone.txt]\n")
    environ = environment(PREFECT_HOME=str(project / "home"))
    refused = []
    with subprocess.Popen(
        flow_command(), cwd=project, env=environ, stderr=subprocess.PIPE, text=True
    ) as flow:
        assert flow.stderr
        said = []
        for line in flow.stderr:
            said.append(line)
            if "Beginning flow run" in line:
                (url,) = re.findall(r"temporary server on (\S+)", "".join(said))
                for path, body in {"csrf-token?client=x": None, "flow_runs/filter": b"{}"}.items():
                    with pytest.raises(urllib.error.HTTPError) as caught:
                        urllib.request.urlopen(f"{url}/api/{path}", body)
                    refused.append(caught.value.code)
                    caught.value.close()
                (project / "go").touch()
    assert flow.returncode == 0, "".join(said)
    assert refused == [401, 403]
    assert dvc(project, "status") == "Data and pipelines are up to date."
