"""A stage that makes no sense for the data, or for what is asked, ends at once and says why."""

from collections.abc import Sequence
from pathlib import Path

from warmstart.errors import visible
from warmstart.files import read_sealed, write_sealed
from warmstart.records import write_records


def reason(data: Path) -> str | None:
    """Why there is nothing to transfer with the data in the folder that `prepare` wrote; None:
    there is."""
    return read_sealed(data / "card.json")["transfer"]["left_out"]


def leave_out(stage: str, why: str, outputs: Sequence[Path]) -> None:
    """Say so, and put a word in the place of each of `outputs`, which DVC expects: no records in a
    `records.parquet`, in every other file, or in the folder, the reason."""
    print(visible(f"{stage}: left out, since {why}"))
    for path in outputs:
        if path.name == "records.parquet":
            write_records(path, [])
        elif path.suffix:
            write_sealed(path, {"left_out": why})
        else:
            write_sealed(path / "left_out.json", {"left_out": why})
