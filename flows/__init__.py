"""This project's flows, on top of prefect_dvc.

Prefect reads these settings when it is imported: no calls home, its database in the project, the
login of the server on this machine. Not here, since the server has more of them.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from warmstart.login import known

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
if Path(".dvc").is_dir():
    os.environ.setdefault("PREFECT_HOME", str(Path.cwd() / ".prefect"))
_url = urlsplit(os.environ.get("PREFECT_API_URL", ""))
if _url.hostname in ("127.0.0.1", "localhost") and not _url.username:
    os.environ.setdefault("PREFECT_API_AUTH_STRING", known())
