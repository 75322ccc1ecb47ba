"""Any DVC project as a Prefect flow: on demand, on a schedule, on many machines.

Prefect reads these settings when it is imported: no calls home, its database in the project, and
more than 20 s for its temporary server to start on a busy machine.
"""

import os
from pathlib import Path

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
if Path(".dvc").is_dir():
    os.environ.setdefault("PREFECT_HOME", str(Path.cwd() / ".prefect"))
