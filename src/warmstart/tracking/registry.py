"""MLflow's registry of models: versions go in, `.keras` files come out."""

import os
import re
import tempfile
import textwrap
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.errors import InputError
from warmstart.tracking import tracking_uri
from warmstart.tracking.candidates import Candidate
from warmstart.tracking.opening import opened
from warmstart.tracking.store import Store

CHAMPION = "champion"
_EXAMPLES = 2
"""Samples that show what a model takes."""
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


class Registry:
    """MLflow's side."""

    def __init__(self, store: Store) -> None:
        from mlflow import MlflowClient

        self.store = store
        self._client: Any = MlflowClient(store.uri, os.environ.get("MLFLOW_REGISTRY_URI"))

    def versions(self, name: str) -> dict[str, Any]:
        """Digest -> version, of those that we made."""
        found: dict[str, Any] = {}
        token = None
        while True:
            page = self._client.search_model_versions(f"name='{name}'", page_token=token)
            found |= {v.tags["warmstart.model"]: v for v in page if "warmstart.model" in v.tags}
            if not (token := page.token):
                return found

    def champion(self, name: str) -> Any | None:
        """The version with that alias."""
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_model_version_by_alias(name, CHAMPION)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def settle(self, found: Any) -> None:
        """Give a version the alias that was decided on, unless that was done: who moves it later is
        right."""
        if found.tags.get("warmstart.settled"):
            return
        if alias := found.tags.get("warmstart.alias"):
            self._client.set_registered_model_alias(found.name, alias, found.version)
        self._client.set_model_version_tag(found.name, found.version, "warmstart.settled", "true")

    def add(self, candidate: Candidate, alias: str, reason: str, prepared: Path) -> None:
        """Log the model, register it, give it `alias` if any."""
        from mlflow.entities import LoggedModelOutput
        from mlflow.exceptions import MlflowException

        client, card = self._client, candidate.card
        experiment, run = self.store.trial(card["stage"], card["record"])
        tags = {
            "warmstart.model": candidate.digest,
            "warmstart.record": card["record"],
            "warmstart.stage": card["stage"],
            "warmstart.study": card["study"],
            "warmstart.arm": card["arm"],
            "warmstart.data": card["data"]["digest"],
        }
        tags = {key: value for key, value in tags.items() if value}
        for left in client.search_logged_models(
            [experiment], f"tags.`warmstart.model` = '{candidate.digest}'"
        ):  # by a publisher that was killed
            client.delete_logged_model(left.model_id)
        logged = client.create_logged_model(
            experiment,
            name=candidate.name,
            source_run_id=run.info.run_id if run else None,
            tags=tags,
            params=run.data.params if run else None,
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            _save(candidate, path, logged, prepared)
            client.log_model_artifacts(logged.model_id, str(path))
        client.finalize_logged_model(logged.model_id, "READY")
        if run:
            output = LoggedModelOutput(logged.model_id, step=0)
            client.log_outputs(run.info.run_id, [output])
        try:
            client.create_registered_model(candidate.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        self.settle(
            client.create_model_version(
                candidate.name,
                f"models:/{logged.model_id}",
                run.info.run_id if run else None,
                tags=tags | ({"warmstart.alias": alias} if alias else {}),
                description=f"{candidate.text} {reason}",
                model_id=logged.model_id,
            )
        )


def _save(candidate: Candidate, path: Path, logged: Any, prepared: Path) -> None:
    """The candidate as an MLflow model at `path`."""
    import mlflow.keras
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    model, samples = candidate.model, candidate.samples(prepared)
    path.mkdir()  # MLflow saves the example before it makes it
    floats = np.dtype(np.float32)
    mlflow.keras.save_model(
        model,
        str(path),
        mlflow_model=Model(
            artifact_path=logged.artifact_location,
            model_uuid=logged.model_id,
            run_id=logged.source_run_id,
            model_id=logged.model_id,
        ),
        signature=ModelSignature(
            Schema([TensorSpec(floats, (-1, *candidate.shape))]),
            Schema([TensorSpec(floats, (-1, model.output_shape[-1]))]),
        ),
        input_example=samples and samples.x[:_EXAMPLES],
        pip_requirements=requirements(),
        metadata={"classes": candidate.card["data"]["classes"]},
    )


def requirements() -> list[str]:
    """What a process needs to load such a model, in the versions that are installed here."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    builds = {"tensorflow": ("tensorflow", "tensorflow-cpu")}.get(backend, (backend,))
    pins = []
    for builds_of_one in (("mlflow",), ("keras",), builds, ("numpy",)):
        for package in builds_of_one:
            try:
                pins.append(f"{package}=={version(package)}")
                break
            except PackageNotFoundError:
                continue
    return pins
