"""This project's deployments, served from a foreign project."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect_fixtures import project, served_project, serving, up_to_date

from foreign_project import ROOT, Server

__all__ = ["project", "up_to_date"]


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """The deployments of prefect.yaml, by name."""
    found = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return {deployment["name"]: deployment for deployment in found}


@pytest.fixture(scope="module")
def served(
    fresh: Path, known: dict[str, Any], server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A committed project of which the deployments are served, without our own tracker."""
    project = served_project(fresh, tmp_path_factory.mktemp("served"))
    with serving(project, server, [*known]):
        yield project
