"""What the user may name as model A: a file, a registered model, or a network of Keras's own."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from warmstart.config.checking import nearest
from warmstart.config.values import Count, Frozen

KERAS = "keras.applications."
"""How names of Keras's pretrained networks begin."""
APPLICATIONS = (
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge",
    "DenseNet121", "DenseNet169", "DenseNet201",
    "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4",
    "EfficientNetB5", "EfficientNetB6", "EfficientNetB7",
    "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3",
    "EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S",
    "InceptionResNetV2", "InceptionV3",
    "MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small",
    "NASNetLarge", "NASNetMobile",
    "ResNet101", "ResNet101V2", "ResNet152", "ResNet152V2", "ResNet50", "ResNet50V2",
    "VGG16", "VGG19", "Xception",
)  # fmt: skip
RANDOM = "random"


class ModelA(Frozen):
    """A model A that is not trained here. In params.yaml its name alone, or with settings."""

    model: Annotated[str, Field(min_length=1)]
    """A `.keras` file, `models:/NAME@ALIAS` or `models:/NAME/VERSION` of MLflow's registry, or
    `keras.applications.NAME`."""
    weights: str | None = None
    """Of an application: the file that Keras would download; `random`: none, a control; None: from
    Keras's cache, or downloaded."""
    size: tuple[Count, Count] | None = None
    """Height and width in pixels of the images that it sees; None: `networks.backbones` chooses."""
    pixels: tuple[float, float] | None = None
    """Of a file: what black and white are to it."""

    @property
    def application(self) -> str:
        """Its name in `keras.applications`; empty: it is none."""
        return self.model.removeprefix(KERAS) if self.model.startswith(KERAS) else ""

    def problems(self) -> Iterator[str]:
        name = self.application
        if name and name not in APPLICATIONS:
            known = nearest(name, APPLICATIONS) or f"; there are {', '.join(APPLICATIONS)}"
            yield f"model: expected a network of keras.applications, received {name!r}{known}"
        if self.weights and not name:
            yield (
                f"weights: expected none for {self.model!r}, whose file holds them, received "
                f"{self.weights!r}; remove them"
            )
        if self.pixels and name:
            yield (
                f"pixels: expected none for {self.model}, whose own preprocessing is known, "
                f"received {list(self.pixels)}; remove them"
            )
        if self.pixels and self.pixels[0] == self.pixels[1]:
            yield f"pixels: expected two numbers, black and white, received {list(self.pixels)}"

    def __str__(self) -> str:
        return self.model


def named(given: Any) -> Any:
    """`a.keras` -> {model: a.keras}."""
    if isinstance(given, dict):  # strict validation takes tuples from here on
        return {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return {"model": given} if isinstance(given, str) else given
