"""The table of limits says what the code does."""

import re
from pathlib import Path

from warmstart import errors
from warmstart.config import limits

TABLE = (Path(__file__).parents[2] / "docs/limits.md").read_text(encoding="utf-8")


def test_the_table_has_every_limit_and_its_number() -> None:
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in TABLE.splitlines()]
    told = {row[2].strip("`"): row[1] for row in rows if len(row) == 5 and "`" in row[2]}
    names = [name for name in vars(limits) if name.isupper()]
    own = {name: f"{getattr(limits, name):,.0f}" for name in names}
    both = f"{errors.MOST_CHARACTERS:,}; {errors.MOST_PROBLEMS}"
    assert told == own | {"errors.MOST_CHARACTERS`, `errors.MOST_PROBLEMS": both}
