"""This project's flows, on top of prefect_dvc.

Prefect reads these settings when it is imported: no calls home, its database in the project.
"""

import os
from pathlib import Path

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
if Path(".dvc").is_dir():
    os.environ.setdefault("PREFECT_HOME", str(Path.cwd() / ".prefect"))

import prefect_dvc.servers  # noqa: F401  (settings, too)
