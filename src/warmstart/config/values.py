"""What values of params.yaml are made of: bounded numbers, frozen types, and choices, each a name
with settings of its own (`relu`, `{leaky_relu: {negative_slope: 0.2}}`)."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from warmstart.config import limits

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=limits.COUNT)]
Epochs = Annotated[int, Field(ge=1, le=limits.EPOCHS)]
Units = Annotated[int, Field(ge=1, le=limits.UNITS)]
Layers = Annotated[tuple[Units, ...], Field(max_length=limits.LAYERS)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Frozen(BaseModel):
    """An immutable value; unknown keys and silent conversions are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def problems(self) -> Iterable[str]:
        """Contradictions between valid fields, one line each: `key: expected …, received …; …`."""
        return ()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if problems := list(self.problems()):
            raise ValueError("\n".join(problems))
        return self


def as_tuple(value: Any) -> Any:
    """A list as a tuple, which strict validation takes from here on."""
    return tuple(value) if isinstance(value, list) else value


def spread(value: Any) -> Any:
    """`relu` -> {name: relu}; {leaky_relu: {negative_slope: 0.2}} -> {name: leaky_relu, …}."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and "name" not in value and len(value) == 1:
        ((name, settings),) = value.items()
        if isinstance(settings, dict):
            return {"name": name, **settings}
        return {"name": name, **({"threshold": settings} if settings is not None else {})}
    return value


class Choice(Frozen):
    """A name with the settings that belong to it, and only to it."""

    takes: ClassVar[dict[str, tuple[str, ...]]] = {}  # setting -> the names it belongs to
    name: str

    def problems(self) -> Iterator[str]:
        for setting, names in self.takes.items():
            if setting in self.model_fields_set and self.name not in names:
                yield f"{setting} belongs to {' and '.join(names)}, not to {self.name}"

    def __str__(self) -> str:
        own = [setting for setting, names in self.takes.items() if self.name in names]
        used = ", ".join(f"{setting}={text(getattr(self, setting))}" for setting in own)
        return f"{self.name}({used})" if used else self.name


def text(value: Any) -> str:
    """`300-100-50` for layers, `20 × 100` for a stack of equal ones; `true`; `0.1`."""
    if value == ():
        return "none"
    if isinstance(value, tuple):
        equal = len(value) > 1 and len(set(value)) == 1
        return f"{len(value)} × {value[0]}" if equal else "-".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
