"""What is said of data before anything trains on them."""

from collections.abc import Iterator

from warmstart.data.dataset import Dataset
from warmstart.data.leaks import constant, giving_away, numbering


def warnings(dataset: Dataset, seed: int) -> Iterator[str]:
    """One line for each thing that would let a test look better than it is, or says nothing."""
    if dataset.copies:
        yield (
            f"copies: {dataset.copies:,} rows are the same as one before them; they stay on one "
            "side of a split"
        )
    x, columns = dataset.x, dataset.columns
    if not columns:
        return
    if found := constant(x, columns):
        yield f"constant: {', '.join(found)}; says nothing, leave it out with data.drop"
    if found := numbering(x, columns):
        yield f"identifier: {', '.join(found)} numbers the rows; leave it out with data.drop"
    classes = len(dataset.class_names)
    if found := giving_away(x, dataset.y, columns, classes, seed):
        yield (
            f"gives the target away: {', '.join(found)} alone tells {dataset.target}; if it is "
            "not known before the target is, leave it out with data.drop"
        )
