"""How to tell a backbone in a `.keras` file, without Keras."""

import json
import zipfile
from pathlib import Path

from warmstart.files import check_zip, intact

NAME = "backbone"
"""Of every model that `backbones.wrap` makes: features of the data to those of another network."""


def is_backbone(path: Path) -> bool:
    """Whether the `.keras` file `path` holds one.

    Raises:
        InputError: as `files.intact`.
    """
    with intact(path, "a model that Keras saved as .keras", "save the whole model that way"):
        check_zip(path)
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        return bool(config["config"].get("name") == NAME)
