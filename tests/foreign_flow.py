"""The flow of whatever project is here: `python foreign_flow.py PARAMETERS SETTINGS`, as JSON."""

import json
import sys

from prefect_dvc import dvc_flow

PARAMETERS, SETTINGS = (json.loads(text) for text in sys.argv[1:])


@dvc_flow("foreign", **SETTINGS)
def pipeline() -> None:
    """A project that knows nothing of warmstart."""


if __name__ == "__main__":
    state = pipeline(**PARAMETERS, return_state=True)
    sys.exit(2 if state.name == "Refused" else 0 if state.is_completed() else 1)
