"""Reading and writing what records say: `Summary` and its parts."""

from pathlib import Path

from pydantic import TypeAdapter

from warmstart.files import write_json
from warmstart.records import ArmSummary, Contrast, Interval, Summary

__all__ = ["ArmSummary", "Contrast", "Interval", "Summary", "read_summary", "write_summary"]

_SUMMARY = TypeAdapter(Summary)


def read_summary(path: Path) -> Summary:
    """The summary in a file of `write_summary`.

    Raises:
        OSError, ValueError: the file cannot be read or is no summary.
    """
    return _SUMMARY.validate_json(path.read_bytes())


def write_summary(path: Path, summary: Summary) -> None:
    """Nested JSON that `dvc metrics` can flatten."""
    write_json(path, _SUMMARY.dump_python(summary, mode="json"))
