"""Any DVC project as a Prefect flow: on demand, on a schedule, on several machines."""

import prefect_dvc.servers  # noqa: F401  # isort: split  (settings that Prefect's import reads)
from prefect_dvc.errors import ProjectError
from prefect_dvc.graph import Stage, read_stages, waves
from prefect_dvc.orchestrate import dvc_flow

__all__ = ["ProjectError", "Stage", "dvc_flow", "read_stages", "waves"]
