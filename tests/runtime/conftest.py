"""Tests of workers: on a machine of one's own, whoever else has an account on this one."""

import pytest

from warmstart import login


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "others", lambda: False)
