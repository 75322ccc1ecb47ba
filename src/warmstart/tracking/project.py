"""The folders of a project that are published, and how they stand."""

from dataclasses import dataclass
from pathlib import Path

from warmstart.records import times_of
from warmstart.runtime.store import PLAN, UNFINISHED

State = tuple[int | None, ...]
"""When the files of a folder were last written (ns), or how many there are; None: no such file."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """The folders that are published."""

    results: Path = Path("results")
    reports: Path = Path("reports")
    models: Path = Path("models")
    data: Path = Path("data/prepared")
    """Where registered models take their example from."""
    unfinished: Path = UNFINISHED

    def states(self) -> dict[Path, State]:
        """What there is to publish, models after the runs that trained them, and its state."""
        found: dict[Path, State] = {
            plan.parent: (_written(plan), len(list(plan.parent.glob("*.npz"))))
            for plan in sorted(self.unfinished.glob(f"*/{PLAN}"))
        }
        # MLflow lists experiments that were written last first
        for path in sorted(self.results.rglob("records.parquet"), reverse=True):
            of = path.parent
            files = path, times_of(of), self.summary(of), self.figures(of)
            found[of] = tuple(map(_written, files))
        kept = sorted(self.results.rglob("kept.json"))  # written with a model, before its card
        if cards := sorted(self.models.glob("cards/*.json")):
            found[self.models] = tuple(map(_written, [*cards, *kept]))
        if report := sorted(self.reports.glob("report.*")):
            found[self.reports] = tuple(map(_written, report))
        return found

    def figures(self, folder: Path) -> Path:
        """Where the pictures of the study in `folder` are."""
        place = folder.relative_to(self.results).as_posix()
        return self.reports / "figures" / place.removeprefix("compare/")

    def summary(self, folder: Path) -> Path:
        """Of the records in `folder`."""
        return self.reports / "summaries" / f"{folder.relative_to(self.results)}.json"


def _written(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
