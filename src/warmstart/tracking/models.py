"""Models to MLflow's registry: A, B and the best network of each study, each version with the
preprocessing inside, and `champion` is the one that nobody has beaten.

A version is found again by the digest of the files that it was made of, so publishing twice changes
nothing. One that a killed publisher left without its alias gets it from the next one.
"""

import hashlib
import json
import os
import tempfile
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.data.view import View
from warmstart.errors import InputError
from warmstart.files import read_json
from warmstart.tracking import tracking_uri
from warmstart.tracking.registry import download
from warmstart.tracking.store import Store, opened

TASKS = {"warmstart-a": "a", "warmstart-b": "b", "warmstart-best": "full"}
"""Registered model -> the task in data/prepared that judges its versions."""
CHAMPION, CHALLENGER = "champion", "challenger"
_NEEDED = {"stage", "study", "record", "arm", "settings", "data", "input", "validation_accuracy"}
"""Keys of a card that are read here."""
_EXAMPLES = 2
"""Samples that show what a model takes."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A saved model that MLflow shall have."""

    name: str
    """Under which it is registered."""
    file: Path
    card: dict[str, Any]
    """What the stage wrote beside it."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model and its card."""
        card = json.dumps(self.card, sort_keys=True).encode()
        return hashlib.sha256(self.file.read_bytes() + card).hexdigest()

    @property
    def title(self) -> str:
        study = f" of study {self.card['study']}" if self.card["study"] else ""
        return f"{self.card['arm']}{study}"


def candidates(models: Path) -> list[Candidate]:
    """The models below the folder `models` that have a card, of each name the most accurate on
    validation first."""
    files = {models / f"{letter}.keras": f"warmstart-{letter}" for letter in "ab"}
    files |= dict.fromkeys(sorted((models / "compare").glob("*.keras")), "warmstart-best")
    found = [
        Candidate(name=name, file=file, card=_card(file.with_suffix(".json")))
        for file, name in files.items()
        if file.exists() and file.with_suffix(".json").exists()
    ]
    return sorted(found, key=lambda c: (c.name, -c.card["validation_accuracy"]))


def _card(path: Path) -> dict[str, Any]:
    try:
        card = read_json(path)
        missing = sorted(_NEEDED - card.keys())
        received = f"one without {', '.join(missing)}" if missing else ""
    except (OSError, ValueError, AttributeError) as error:
        received = " ".join(f"{type(error).__name__}: {error}".split())
    if received:
        raise InputError(
            f"{path}: expected the card of a model, received {received}; run its stage again"
        )
    return dict(card)


def publish_models(models: Path, prepared: Path) -> int:
    """Register what MLflow's registry lacks of `models`, judged on the validation samples in
    `prepared`; how many versions are new.

    Raises:
        InputError: one line; a file cannot be read or MLflow does not answer.
    """
    wanted = candidates(models)
    if not wanted:
        return 0
    with opened(tracking_uri()) as store:
        registry = Registry(store)
        known = {name: registry.versions(name) for name in {c.name for c in wanted}}
        missing = [c for c in wanted if c.digest not in known[c.name]]
        for found in known.values():
            for unsettled in found.values():
                registry.settle(unsettled)
        challenged = set()
        for candidate in missing:
            alias, reason = _judge(candidate, registry, prepared)
            # of those that lost, `challenger` is the best, which comes first
            given = alias if alias == CHAMPION or candidate.name not in challenged else ""
            challenged |= {candidate.name} if given == CHALLENGER else set()
            registry.add(candidate, given, reason, prepared)
        return len(missing)


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
                tags=tags | {"warmstart.alias": alias},
                description=f"{_said(card)} {reason}",
                model_id=logged.model_id,
            )
        )


def _save(candidate: Candidate, path: Path, logged: Any, prepared: Path) -> None:
    """The candidate as an MLflow model at `path`."""
    import mlflow.keras
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    model, shape = load(candidate), tuple(candidate.card["input"]["shape"])
    path.mkdir()  # MLflow saves the example before it makes it
    floats = np.dtype(np.float32)
    view = _view(candidate, prepared)
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
            Schema([TensorSpec(floats, (-1, *shape))]),
            Schema([TensorSpec(floats, (-1, model.output_shape[-1]))]),
        ),
        input_example=None if view is None else _raw(view, shape)[:_EXAMPLES],
        pip_requirements=requirements(),
        metadata={"classes": candidate.card["data"]["classes"]},
    )


def load(candidate: Candidate) -> Any:
    """The candidate as a `keras.Sequential` that takes raw samples `(batch, *shape)` and has no
    layers but Keras's own."""
    from warmstart.networks import raw_input  # loads Keras

    given = candidate.card["input"]
    mean, scale = np.array(given["mean"]), np.array(given["scale"])
    return raw_input.portable(raw_input.load(candidate.file, tuple(given["shape"]), mean, scale))


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


def _judge(candidate: Candidate, registry: Registry, prepared: Path) -> tuple[str, str]:
    """Which alias it deserves, and why."""
    from warmstart.networks import saving
    from warmstart.tracking.champion import accuracy_difference, takes

    champion = registry.champion(candidate.name)
    if champion is None:
        return CHAMPION, "Champion: there was none."
    against = f"version {champion.version}"
    view = _view(candidate, prepared)
    if view is None:
        return (
            CHALLENGER,
            f"Challenger: not compared with {against}, whose samples to validate "
            "with are not here.",
        )
    shape, task = candidate.card["input"]["shape"], view.task
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            other = download(
                registry.store, champion.name, version=champion.version, folder=folder / "champion"
            )
        except InputError as error:
            return CHALLENGER, f"Challenger: {against} cannot be loaded ({error})."
        if not takes(other, shape, task.classes):
            return CHALLENGER, f"Challenger: {against} takes other samples or knows other classes."
        saving.save(load(candidate), folder / "challenger.keras")
        found = accuracy_difference(
            folder / "challenger.keras", other, _raw(view, shape), task.y_validation
        )
    shown = f"{100 * found.mean:+.2f} points"
    if found.low is not None and found.high is not None:
        shown += f" ({100 * found.low:+.2f} to {100 * found.high:+.2f})"
    shown += f" of accuracy on {len(task.y_validation):,} validation samples against {against}"
    if champion.tags.get("warmstart.data") != candidate.card["data"]["digest"]:
        shown += ", which was trained on other data"
    if found.low is not None and found.low > 0:
        return CHAMPION, f"Champion: {shown}, paired by sample."
    return CHALLENGER, f"Challenger: {shown}, paired by sample; not better beyond doubt."


def _view(candidate: Candidate, prepared: Path) -> View | None:
    """Samples to judge it by: those that it was chosen on. None where they are not in `prepared`:
    they are another run's, or of a cross-validation, where a sample trains one model and validates
    the other."""
    name = TASKS[candidate.name]
    if "fold" in candidate.card["settings"] or not (prepared / f"{name}.npz").exists():
        return None
    view = View.read(prepared, name)
    raw = view.raw()
    return raw if candidate.card["data"]["digest"] in (view.task.digest, raw.task.digest) else None


def _raw(view: View, shape: Sequence[int]) -> np.ndarray:
    """(n, *shape): validation samples of a raw view as they came."""
    return view.task.x_validation.reshape(-1, *shape)


def _said(card: dict[str, Any]) -> str:
    arm = card["test_accuracy_of_the_arm"]
    study = f" of study {card['study']}" if card["study"] else ""
    band = f" ({100 * arm['low']:.2f} to {100 * arm['high']:.2f})" if arm["low"] is not None else ""
    text = (
        f"{card['arm']}{study} on {card['data']['name']}, learning rate {card['learning_rate']:g}, "
        f"seed {card['seed']}: {100 * card['validation_accuracy']:.2f} % right on validation; the "
        f"arm has {100 * arm['mean']:.2f} %{band} on the test set over {card['seeds']} seeds. "
        f"{card['limits']}"
    )
    return textwrap.shorten(text, 1500)
