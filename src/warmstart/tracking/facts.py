"""What `timings.json` says of the machine, as MLflow shall show it: tags and the data set of every
run, and a run of the stage itself. Nothing here needs MLflow."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from warmstart.files import read_json
from warmstart.records import Record
from warmstart.tracking.datasets import Dataset
from warmstart.tracking.runs import Point, Run, common_tags

FILE = "timings.json"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Of one results folder."""

    content: Mapping[str, Any]
    """Of the file; empty where there is none."""
    own: bool
    """Whether the folder has the file itself: one below a stage's shares that of the stage."""

    @classmethod
    def read(cls, folder: Path) -> "Facts":
        # results/transfer/labels/N and results/transfer/pairs/L-M belong to results/transfer
        for place in (folder, *folder.absolute().parents[:2]):
            if (place / FILE).exists():
                return cls(content=read_json(place / FILE), own=place == folder)
        return cls(content={}, own=False)

    def add_to(self, run: Run) -> Run:
        """`run` with device, versions and data set, which are no part of its digest: what was
        trained once more, with the same results, is the same run."""
        versions = self.content.get("versions", {})
        tags = {
            "warmstart.device": self.content.get("device", ""),
            "warmstart.versions": ", ".join(f"{name} {v}" for name, v in versions.items()),
        }
        tags = {key: value for key, value in tags.items() if value}
        digest = run.tags["warmstart.data"]
        data = self.content.get("data", {}).get(digest)
        return replace(
            run, tags=run.tags | tags, data=Dataset(digest=digest, **data) if data else None
        )

    def stage_run(self, record: Record, commit: str) -> Run | None:
        """The run of the stage that left `record`: when, how long, how much per second, and what
        its machine did meanwhile. None where nothing tells of that.

        Its points have a time of their own, since MLflow draws system metrics over time.
        """
        if not self.own or "started" not in self.content:
            return None
        content, seconds = self.content, self.content["seconds"]
        place = [record.stage, record.study]
        text = json.dumps({"place": place, "timings": content}, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        machine = content["machine"]
        began = round(datetime.fromisoformat(content["started"]).timestamp() * 1000)
        tags = {
            "warmstart.timings": digest,
            "warmstart.current": "true",
            "warmstart.machine": f"{machine['cpu']}, {machine['cores']} cores, "
            + ", ".join([*machine["gpus"], machine["platform"]]),
        }
        return Run(
            digest=digest,
            stage=record.stage,
            study=record.study,
            name="@".join(filter(None, place)),
            tags=common_tags("stage", record, "", commit) | tags,
            params={"study": record.study} if record.study else {},
            metrics=(*_throughput(content), *_system(content)),
            span=(began, began + round(seconds * 1000)),
        )


def _throughput(content: Mapping[str, Any]) -> list[Point]:
    """Of the stage, and of each arm on one worker, with the means of what the machine did then."""
    rates = ("trial_epochs_per_second", "samples_per_second")
    whole = {name: content[name] for name in ("seconds", "trial_epochs", "samples", *rates)}
    by_arm = {
        # the plus in an arm's name is no letter to MLflow; arms have no spaces
        f"{name.removeprefix('system/')}_by_arm/{arm.replace('+', ' ')}": value
        for arm, found in content["arms"].items()
        for name, value in ({r: found[r] for r in rates} | found.get("system", {})).items()
    }
    return [(name, float(value), 0) for name, value in (whole | by_arm).items()]


def _system(content: Mapping[str, Any]) -> list[Point]:
    return [
        (metric, value, int(second))
        for metric, samples in content["system"].items()
        for second, value in samples.items()
    ]
