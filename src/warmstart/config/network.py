"""What the hidden layers of an arm are: dense, or convolutional on images."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from warmstart.config import limits
from warmstart.config.values import Choice, Count, as_tuple, spread

SMALLEST = 16
"""Pixels a side from which on `auto` takes samples for images whose neighbouring pixels matter:
networks on them are convolutional, and they are standardized by channel. Digits of 8 × 8 are not.
"""
CONVOLUTIONAL = ("convolutional", "residual")
Filters = Annotated[tuple[Count, ...], Field(min_length=1, max_length=limits.LAYERS)]
Image = Annotated[tuple[int, int, int], BeforeValidator(as_tuple)]
"""Height, width, channels."""


def is_large(shape: Sequence[int]) -> bool:
    """Whether samples of `shape` are images of SMALLEST pixels a side or more."""
    return len(shape) == 3 and min(shape[:2]) >= SMALLEST


LAST_OF_BLOCK = 2
"""Convolutions of a residual block."""


class Convolution(NamedTuple):
    """One convolution, with what follows it up to the next."""

    filters: int
    strides: int = 1
    """2: it halves height and width."""
    pooled: bool = False
    """Whether pooling follows, which halves height and width."""
    place: int = 0
    """In its residual block, from 1 to LAST_OF_BLOCK; 0: in none."""


class Network(Choice):
    """Layers between the input and the dense ones of `hidden`.

    - `dense`: none.
    - `convolutional`: for each of `filters` a block of `convolutions` convolutions, each with its
      activation and normalization, and pooling that halves height and width (LeCun et al. 1998,
      section II; the blocks are those of Simonyan & Zisserman 2015).
    - `residual`: a convolution, then for each of `filters` a stage of `blocks` residual blocks of
      two convolutions, all but the first stage halving height and width, and the mean over what is
      left of them (He et al. 2016, "Deep Residual Learning for Image Recognition", section 4.2).
    - `auto`: see `resolve`.
    """

    takes: ClassVar = {
        "filters": CONVOLUTIONAL,
        "kernel": CONVOLUTIONAL,
        "convolutions": ("convolutional",),
        "pooling": ("convolutional",),
        "blocks": ("residual",),
    }
    name: Literal["auto", "dense", "convolutional", "residual"]
    filters: Annotated[Literal["auto"] | Filters, BeforeValidator(as_tuple)] = "auto"
    """Of each block or stage; `auto` fits the image, see `resolve`."""
    kernel: Annotated[int, Field(ge=1, le=limits.KERNEL)] = 3
    """Pixels a side of each convolution; 3: 3 × 3."""
    convolutions: Annotated[int, Field(ge=1, le=limits.LAYERS)] = 1
    """In each block."""
    pooling: Literal["max", "average"] = "max"
    blocks: Annotated[int, Field(ge=1, le=limits.LAYERS)] = 1
    """In each stage."""
    image: Image | None = Field(default=None, init=False)
    """What a resolved network that is not dense takes; never given."""

    @property
    def is_convolutional(self) -> bool:
        return self.name in CONVOLUTIONAL

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.image is not None:
            yield "image: expected none, since the data say it; remove it"
        if not self.is_convolutional or self.filters == "auto":
            return
        count = len(self.filters) * (
            LAST_OF_BLOCK * self.blocks if self.name == "residual" else self.convolutions
        )
        if count > limits.LAYERS:
            yield (
                f"filters: expected at most {limits.LAYERS:,} convolutions in all, received "
                f"{count:,}; take some away"
            )

    @property
    def layers(self) -> tuple[Convolution, ...]:
        """The convolutions of a resolved network, inputs first; none of a dense one."""
        if not self.is_convolutional:
            return ()
        assert self.filters != "auto"
        if self.name == "convolutional":
            last = self.convolutions - 1
            return tuple(
                Convolution(filters=n, pooled=number == last)
                for n in self.filters
                for number in range(self.convolutions)
            )
        stages = [
            Convolution(
                filters=n, strides=2 if stage and place == 0 else 1, place=place % LAST_OF_BLOCK + 1
            )
            for stage, n in enumerate(self.filters)
            for place in range(LAST_OF_BLOCK * self.blocks)
        ]
        return (Convolution(filters=self.filters[0]), *stages)

    def resolve(self, shape: Sequence[int], *, plain: bool) -> "Network":
        """This network for samples of `shape`, with no `auto` left.

        `auto` is convolutional on images of SMALLEST pixels a side or more, unless `plain` layers
        were asked for. Filters: 16 and 32 (16 × 16 pixels and below, where a third halving leaves
        next to nothing, and grey images), 32, 64 and 64 of coloured images of 32 pixels or more.
        """
        name = self.name
        if name == "auto":
            name = "convolutional" if is_large(shape) and not plain else "dense"
        if name == "dense":
            return Network(name="dense")
        filters = self.filters
        if filters == "auto":
            many = len(shape) == 3 and min(shape[:2]) >= 32 and shape[2] > 1
            filters = (32, 64, 64) if many else (16, 32)
        image: Any = tuple(shape) if len(shape) == 3 else None
        return self.model_copy(update={"name": name, "filters": filters, "image": image})

    def misfit(self, shape: Sequence[int]) -> str | None:
        """Why this network, resolved, cannot be made for samples of `shape`; None: it can."""
        if not self.is_convolutional:
            return None
        if len(shape) != 3:
            return (
                f"network: expected dense or auto, since a sample is no image, received "
                f"{self.name}; change it"
            )
        # the first stage of a residual network keeps its size
        halvings = len(self.filters) - (self.name == "residual")
        if min(shape[:2]) >> halvings:
            return None
        most = min(shape[:2]).bit_length() - 1 + len(self.filters) - halvings
        return (
            f"network.filters: expected at most {most} for images of {shape[0]} × {shape[1]} "
            f"pixels, which they halve, received {len(self.filters)}; take some away"
        )

    @property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """Filters and strides of each residual block."""
        return tuple((layer.filters, layer.strides) for layer in self.layers if layer.place == 1)

    @property
    def maps(self) -> tuple[Image, ...]:
        """`(height, width, channels)` of what each convolution of a resolved network puts out; an
        image ahead of them."""
        if not self.image:
            return ()
        maps, pooled = [self.image], False
        for layer in self.layers:
            height, width, _ = maps[-1]
            if pooled:
                height, width = height // 2, width // 2
            maps.append((-(-height // layer.strides), -(-width // layer.strides), layer.filters))
            pooled = layer.pooled
        return tuple(maps)

    def flat(self, features: int) -> int:
        """How many values the first dense layer takes in, of samples of so many `features`."""
        if not self.image:
            return features
        height, width, channels = self.maps[-1]
        return channels if self.name == "residual" else height // 2 * (width // 2) * channels

    @property
    def weights(self) -> int:
        """Of all convolutions, without those of projections."""
        return sum(self.kernel**2 * one[2] * other[2] for one, other in pairwise(self.maps))


def by_kind(given: Any) -> Any:
    """`{kind: residual, blocks: 2}` as `{residual: {blocks: 2}}`, and as `values.spread`."""
    if isinstance(given, dict) and "kind" in given:
        return {"name" if key == "kind" else key: value for key, value in given.items()}
    return spread(given)


Kind = Annotated[Network, BeforeValidator(by_kind)]
