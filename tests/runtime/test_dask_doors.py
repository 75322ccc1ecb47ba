"""Only a scheduler that lets in nobody else is connected to."""

import shutil
import subprocess
from pathlib import Path

import dask
import pytest

from dask_cluster import dask as cluster
from warmstart import login
from warmstart.errors import InputError
from warmstart.runtime import dask_client


def line(address: str, folder: Path) -> str:
    with pytest.raises(InputError) as caught, dask_client.connect(address, {}, folder, "jax"):
        pass
    (said,) = caught.value.problems
    return said


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:8786", "ws://scheduler:8786", "ucx://h:1"])
def test_another_machines_without_tls_is_refused(address: str, tmp_path: Path) -> None:
    assert line(address, tmp_path).startswith("executor.address: expected tls://HOST:PORT")


def test_that_of_a_machine_with_other_users_is_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "others", lambda: True)
    assert "received tcp://127.0.0.1:1;" in line("tcp://127.0.0.1:1", tmp_path)


@pytest.mark.slow
def test_one_with_tls_lets_in_who_has_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=dask"
    files = ["-keyout", "dask.key", "-out", "dask.pem"]
    subprocess.run([*command.split(), *files], cwd=tmp_path, check=True, capture_output=True)
    pem, key = str(tmp_path / "dask.pem"), str(tmp_path / "dask.key")
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CA_FILE", pem)
    for who in ("SCHEDULER", "WORKER", "CLIENT"):
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__{who}__CERT", pem)
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__{who}__KEY", key)
    monkeypatch.setattr(login, "others", lambda: True)
    with cluster(tmp_path, "--protocol", "tls") as there:
        assert there.address.startswith("tls://127.0.0.1:")
        assert line(there.address, tmp_path).startswith("executor.address: expected a certificate")
        dask.config.refresh()
        try:
            there.add_worker("plain")
            with dask_client.connect(there.address, {}, tmp_path, "jax") as workers:
                assert workers.count == 1
        finally:
            monkeypatch.undo()
            dask.config.refresh()
