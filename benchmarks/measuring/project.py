"""A copy of this project to measure in, as before its first run."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("src", "data/raw", "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", ".dvc/plots")


def copied(folder: Path, parameters: Mapping[str, Any] | None = None, project: Path = ROOT) -> Path:
    """`project` in `folder`, without git, DVC's cache or results.

    Args:
        parameters: section -> what differs from its params.yaml.
    """
    for name in COPIED:
        source, target = project / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, target)
    for command in (["dvc", "init", "--no-scm", "--quiet", "--force"], ["compileall", "-q", "src"]):
        done = [sys.executable, "-m", *command]
        subprocess.run(done, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    if parameters:
        yaml, path = YAML(typ="safe", pure=True), folder / "params.yaml"
        content = yaml.load(path)
        for section, own in parameters.items():
            content[section] |= own
        yaml.dump(content, path)
    return folder
