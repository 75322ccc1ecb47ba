"""A model from MLflow's registry -> the `.keras` file that it carries."""

import os
import re
import textwrap
from pathlib import Path

from warmstart.errors import InputError
from warmstart.tracking import tracking_uri
from warmstart.tracking.store import Store, opened

SCHEME = "models:/"


def fetch(uri: str, folder: Path) -> Path:
    """Download the model registered as `uri`, and nothing of it is loaded: its one `.keras` file
    lies in `folder` then, as `NAME-VERSION.keras`.

    Args:
        uri: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
        folder: an empty one.

    Raises:
        InputError: one line; `uri` is none of the two, MLflow does not answer or knows no such
            model, or the model has no `.keras` file, or several.
    """
    parts = re.fullmatch(rf"{SCHEME}([^/@]+)(?:@([^/@]+)|/(\d+))", uri)
    if not parts:
        raise InputError(
            f"{uri}: expected {SCHEME}NAME@ALIAS or {SCHEME}NAME/VERSION; correct it, or give a "
            ".keras file"
        )
    name, alias, version = parts.groups()
    with opened(tracking_uri()) as store:
        return download(store, name, version=version, alias=alias, folder=folder)


def download(
    store: Store, name: str, *, version: str | None, alias: str | None = None, folder: Path
) -> Path:
    """`fetch` from a store that is open."""
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    uri = f"{SCHEME}{name}@{alias}" if alias else f"{SCHEME}{name}/{version}"
    client = MlflowClient(store.uri, os.environ.get("MLFLOW_REGISTRY_URI"))
    try:
        if alias:
            version = client.get_model_version_by_alias(name, alias).version
        place = client.get_model_version_download_uri(name, version)
        download_artifacts(place, dst_path=str(folder), tracking_uri=store.uri)
    except (MlflowException, OSError) as error:
        received = textwrap.shorten(f"{type(error).__name__}: {error}", 250, placeholder=" …")
        raise InputError(
            f"{uri}: expected a model in MLflow's registry, received {received}; `make mlflow` "
            "shows which there are, and MLFLOW_TRACKING_URI says where"
        ) from None
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [path for path in files if path.suffix == ".keras"]
    if len(found) != 1:
        shown = ", ".join(path.name for path in found or files)
        raise InputError(
            f"{uri}: expected a registered model with one .keras file, received "
            f"{shown or 'no files'}; log it with mlflow.keras.log_model"
        )
    return found[0].rename(folder / f"{name}-{version}.keras")
