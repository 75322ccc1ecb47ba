"""The section `data` of params.yaml: what samples there are, and how they are split."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from warmstart.config.names import Label
from warmstart.config.values import Count, Frozen

_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
KNOWN_CLASSES = {"digits": tuple("0123456789"), "fashion_mnist": _CLOTHES}
"""Class names of the data sets that need no files of the user's, in the order of their labels."""

Fraction = Annotated[float, Field(gt=0, lt=1)]
Splits = Literal["resampled", "official", "fixed"]
Standardize = Literal["auto", "feature", "channel"]


def _as_text(given: object) -> object:
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


ColumnName = Annotated[str, BeforeValidator(_as_text)]
"""Of a column in a file; a number is meant as text."""


DRAWN: dict[Splits, str] = {
    "resampled": "drawn anew by every seed",
    "official": "the test part is the same for every seed",
    "fixed": "the same for every seed",
}
"""What seeds see, in words."""


class Data(Frozen):
    """The data and how they are split."""

    name: Label
    """`digits`, `fashion_mnist`, or any other name for the user's own data at `path`."""
    path: Annotated[str, Field(min_length=1)]
    target: ColumnName | None = None
    """Of a table: the column to predict."""
    drop: tuple[ColumnName, ...] = ()
    """Of a table: columns to leave out."""
    image_size: tuple[Count, Count] | None = None
    """Height and width in pixels that images are resized to; None: as they are, all alike."""
    validation_fraction: Fraction
    test_fraction: Fraction
    standardize: Standardize = "auto"
    """By whose mean and deviation a value is standardized: those of its feature, or, of images,
    those of its channel over all pixels; `auto`: by channel from 16 pixels a side on."""
    splits: Splits = "resampled"
    """What the seeds of a study see: each its own training, validation and test part, drawn from
    all samples; each its own training and validation part beside the test set that came with the
    data, where `test_fraction` decides nothing; or all the same parts."""

    task: Literal["auto", "classification", "regression"] = "auto"
    """What the target is taken for; `auto`: numbers, where many differ, are a regression."""
    columns: dict[str, str | dict[str, list[str | int | float] | str]] = Field(default_factory=dict)
    """Column of a table -> what it is, where that is not what its values look like: see
    `data.kinds.Override`."""
    group: str | None = None
    """Column whose rows of one value are never on two sides of a split; no feature."""
    order: str | None = None
    """Column by which the newest rows, `test_fraction` of them, are the test part; no feature."""

    @property
    def drawn(self) -> Splits:
        """How seeds are split: the newest rows are a test set of its own."""
        return "official" if self.order and self.splits == "resampled" else self.splits

    def problems(self) -> Iterator[str]:
        total = self.validation_fraction + self.test_fraction
        if total >= 1 and self.splits != "official":
            yield (
                "validation_fraction: expected a sum with test_fraction below 1, "
                f"received {total:g}; leave something to train on"
            )
