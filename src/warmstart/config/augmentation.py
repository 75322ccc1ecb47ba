"""How training images are changed anew in every step."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from warmstart.config import limits
from warmstart.config.network import Image
from warmstart.config.values import Frozen

Pixels = Annotated[int, Field(ge=0, le=limits.AUGMENTED)]


class Augmentation(Frozen):
    """What is done to each training image, by draws of its own; in this order."""

    shift: Pixels = 0
    """Moved down and to the right by whole pixels from −shift to shift each, drawn uniformly; zeros
    move in (Krizhevsky et al. 2012, section 4.1; He et al. 2016, section 4.2)."""
    flip: bool = False
    """Left and right exchanged, with probability ½."""
    crop: Pixels = 0
    """Cut to so many pixels less a side, at a place drawn uniformly, and enlarged to its size
    again."""
    image: Image | None = Field(default=None, init=False)
    """What a resolved one that does something takes; never given."""

    def __bool__(self) -> bool:
        return bool(self.shift or self.flip or self.crop)

    def __str__(self) -> str:
        parts = [
            f"shift={self.shift}" if self.shift else "",
            "flip" if self.flip else "",
            f"crop={self.crop}" if self.crop else "",
        ]
        return ", ".join(filter(None, parts)) or "none"

    def problems(self) -> Iterator[str]:
        if self.image is not None:
            yield "image: expected none, since the data say it; remove it"

    def resolve(self, shape: Sequence[int]) -> "Augmentation":
        """This one for samples of `shape`."""
        if not self:
            return self
        height, width, channels = shape
        return self.model_copy(update={"image": (height, width, channels)})

    def misfit(self, shape: Sequence[int]) -> str | None:
        """Why this cannot be done to samples of `shape`; None: it can."""
        if not self:
            return None
        if len(shape) != 3:
            return (
                f"augmentation: expected none, since a sample is no image, received {self}; remove "
                "it"
            )
        height, width, _ = shape
        for name in ("shift", "crop"):
            if (given := getattr(self, name)) >= min(height, width):
                return (
                    f"augmentation.{name}: expected less than the {min(height, width)} pixels of a "
                    f"side, for images of {height} × {width}, received {given}; lower it"
                )
        return None


def _none(given: Any) -> Any:
    return {} if given == "none" else given


Augmenting = Annotated[Augmentation, BeforeValidator(_none)]
