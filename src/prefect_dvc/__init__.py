"""Any DVC project as a Prefect flow: on demand, on a schedule, on several machines."""

import os

# Prefect reads it when it is imported; its temporary server needs more than 20 s on a busy machine
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

from prefect_dvc.errors import ProjectError
from prefect_dvc.graph import Stage, read_stages, waves
from prefect_dvc.orchestrate import dvc_flow
from prefect_dvc.place import occupied

__all__ = ["ProjectError", "Stage", "dvc_flow", "occupied", "read_stages", "waves"]
