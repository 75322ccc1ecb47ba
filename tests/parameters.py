"""The parameters that tests run with, never the user's own file."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from warmstart.config.loading import load
from warmstart.config.params import Params

PATH = Path(__file__).with_name("params.yaml")


def content() -> dict[str, Any]:
    """The parameter file as nested dicts, of the caller's own."""
    return YAML(typ="safe", pure=True).load(PATH.read_text(encoding="utf-8"))


def params() -> Params:
    return load(PATH)
