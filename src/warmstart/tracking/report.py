"""The report in MLflow: a run whose artifacts are its pages and pictures."""

import hashlib
from pathlib import Path

from warmstart.files import read_json
from warmstart.tracking import tracking_uri
from warmstart.tracking.opening import opened
from warmstart.tracking.runs import Run, head

STAGE = "report"
COLOURS = "colours.json"
"""Study or stage -> arm -> colour."""


def publish_report(folder: Path) -> int:
    """Bring MLflow the files of the report in `folder`, once for each content, and the colours that
    arms have there; how many runs it lacked.

    Raises:
        InputError: one line; MLflow does not answer.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        return 0
    content = [f"{path.relative_to(folder)} {_digest(path)}" for path in files]
    digest = hashlib.sha256("\n".join(content).encode()).hexdigest()
    tags = {
        "warmstart.kind": "report",
        "warmstart.stage": STAGE,
        "warmstart.summary": digest,
        "warmstart.current": "true",
        "mlflow.source.name": f"python -m warmstart {STAGE}",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": head(folder),
    }
    run = Run(
        digest=digest,
        stage=STAGE,
        study="",
        name=STAGE,
        tags={key: value for key, value in tags.items() if value},
        params={},
        metrics=(),
        artifacts=folder,
    )
    colours = read_json(folder / COLOURS) if (folder / COLOURS).exists() else {}
    with opened(tracking_uri()) as store:
        for arm in store.summaries() if colours else ():
            tags = arm.data.tags
            place = tags.get("warmstart.study") or tags["warmstart.stage"]
            if hue := colours.get(place, {}).get(tags["warmstart.arm"]):
                store.colour(arm, hue)
        return store.bring(STAGE, "", [run])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
