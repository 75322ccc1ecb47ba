"""MLflow's registry: A, B and the best network of each study go in, `.keras` files come out.

A version takes rows as their user has them and needs nothing of this package (`packing`). It is
found again by the digest of its model and its card. The card lies in it, too: which of two versions
is the better one follows from their cards alone (`analysis.cards.beats`).
"""

import hashlib
import json
import os
import re
import tempfile
import textwrap
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from warmstart.analysis.cards import beats
from warmstart.analysis.document import joined
from warmstart.analysis.words import Wording
from warmstart.errors import InputError
from warmstart.files import read_sealed
from warmstart.metrics import METRICS
from warmstart.tracking.opening import opened
from warmstart.tracking.packing import CARD, Version
from warmstart.tracking.runs import experiment_of
from warmstart.tracking.store import Store

CHAMPION, CHALLENGER = "champion", "challenger"
_ON_THE_CPU = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
"""For Keras, if it is loaded: the GPU belongs to those who train; and as quiet as workers are."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A saved model that the registry shall have under `name`."""

    name: str
    file: Path
    card: dict[str, Any]

    @property
    def gain(self) -> float:
        """On validation: higher is better."""
        metric = self.card["metric"]
        return METRICS[metric].gain(self.card[f"validation_{metric}"])

    @property
    def validated(self) -> str:
        """The same in words: `accuracy 97.1 %`."""
        said = Wording(METRICS[self.card["metric"]])
        return f"{said.title} {said.value(self.card[f'validation_{said.metric.name}'])}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model and its card."""
        card = json.dumps(self.card, sort_keys=True).encode()
        return hashlib.sha256(self.file.read_bytes() + card).hexdigest()


def candidates(models: Path, results: Path) -> list[Candidate]:
    """The models below the folder `models` that have a card in `models/cards`, of each name the
    most accurate on validation first; none that its stage, which has its folder in `results`, makes
    or has made anew since the card was written.

    Raises:
        InputError: a card cannot be read.
    """
    found: list[Candidate] = []
    for path in sorted((models / "cards").glob("*.json")):
        letter = path.stem in ("a", "b")
        card = read_sealed(path)
        file = models / ("" if letter else "compare") / f"{path.stem}.keras"
        if not file.exists() or _is_left_out(file) or _is_of_another(card, results):
            continue
        name = f"warmstart-{path.stem if letter else 'best'}"
        found.append(Candidate(name=name, file=file, card=card))
    return sorted(found, key=lambda c: (c.name, -c.gain))


def _is_left_out(file: Path) -> bool:
    """Whether its stage was left out, after one that made the card (`stages.left_out`)."""
    with suppress(InputError):
        return "left_out" in read_sealed(file)
    return False


def _is_of_another(card: dict[str, Any], results: Path) -> bool:
    """Whether the stage has kept the network of another trial since."""
    try:
        kept = read_sealed(results / card["stage"] / card["study"] / "kept.json")
        return bool(kept["record"] != card["record"])
    except (OSError, ValueError, KeyError, InputError):
        return False


def publish_models(models: Path, prepared: Path, results: Path) -> int:
    """Register what MLflow's registry lacks of `candidates(models, results)`, with examples from
    the folder `prepared`; how many versions are new.

    Raises:
        InputError: one line; a file cannot be read or MLflow does not answer.
    """
    wanted = candidates(models, results)
    if not wanted:
        return 0
    for name, value in _ON_THE_CPU.items():
        os.environ.setdefault(name, value)
    with opened() as store:
        registry = Registry(store)
        known = {name: registry.versions(name) for name in {c.name for c in wanted}}
        for unsettled in (version for found in known.values() for version in found.values()):
            registry.settle(unsettled)
        missing = [c for c in wanted if c.digest not in known[c.name]]
        given: set[tuple[str, str]] = set()
        for candidate in missing:
            alias, reason = registry.judge(candidate)
            # of those that lost, `challenger` is the best, which comes first
            taken = alias == CHALLENGER and (candidate.name, alias) in given
            given.add((candidate.name, alias))
            registry.add(candidate, "" if taken else alias, reason, prepared)
        return len(missing)


class Registry:
    """MLflow's side."""

    def __init__(self, store: Store) -> None:
        from mlflow import MlflowClient

        self._store = store
        self._client: Any = MlflowClient(store.uri, os.environ.get("MLFLOW_REGISTRY_URI"))

    def versions(self, name: str) -> dict[str, Any]:
        """Digest -> version, of those that we made."""
        found = self._client.search_model_versions(f"name='{name}'", max_results=10_000)
        return {v.tags["warmstart.model"]: v for v in found if "warmstart.model" in v.tags}

    def judge(self, candidate: Candidate) -> tuple[str, str]:
        """Which alias it deserves, and why."""
        from mlflow.exceptions import MlflowException

        try:
            champion = self._client.get_model_version_by_alias(candidate.name, CHAMPION)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            return CHAMPION, "Champion: there was none."
        against = f"against version {champion.version}"
        with tempfile.TemporaryDirectory() as folder:
            try:
                self.download(champion.name, champion.version, None, Path(folder), CARD)
                card = read_sealed(Path(folder) / CARD)
            except (MlflowException, OSError, InputError):
                return CHALLENGER, f"Challenger: not compared {against}, which has no card."
        decision = beats(candidate.card, card)
        if decision.better:
            return CHAMPION, f"Champion {against}: {decision.reason}."
        return CHALLENGER, f"Challenger {against}: {decision.reason}."

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
        rate = f"learning rate {card['learning_rate']:g}, " if card["learning_rate"] else ""
        text = (
            f"{card['arm']}{card['study'] and ' of study ' + card['study']} on "
            f"{card['data']['name']}, {rate}seed {card['seed']}: "
            f"{candidate.validated} on validation. {card['limits']} {reason}"
        )
        place = experiment_of(card["stage"], card["study"])
        experiment, run = self._store.one(place, "warmstart.record", card["record"])
        tags = {
            "warmstart.model": candidate.digest,
            "warmstart.data": card["data"]["digest"],
            **{f"warmstart.{key}": card[key] for key in ("record", "stage", "study", "arm")},
        }
        tags = {key: value for key, value in tags.items() if value}
        only = f"tags.`warmstart.model` = '{candidate.digest}'"
        for left in client.search_logged_models([experiment], only):  # by one that was killed
            client.delete_logged_model(left.model_id)
        run_id = run.info.run_id if run else None
        logged = client.create_logged_model(
            experiment,
            name=candidate.name,
            source_run_id=run_id,
            tags=tags,
            params=run.data.params if run else None,
        )
        with tempfile.TemporaryDirectory() as folder:
            version = Version(network=candidate.file, card=card, prepared=prepared)
            version.save(Path(folder) / "model", logged)
            client.log_model_artifacts(logged.model_id, f"{folder}/model")
        client.finalize_logged_model(logged.model_id, "READY")
        if run_id:
            client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        try:
            client.create_registered_model(candidate.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        self.settle(
            client.create_model_version(
                candidate.name,
                f"models:/{logged.model_id}",
                run_id,
                tags=tags | ({"warmstart.alias": alias} if alias else {}),
                description=joined(text).markdown,
                model_id=logged.model_id,
            )
        )

    def download(
        self, name: str, version: str | None, alias: str | None, folder: Path, file: str = ""
    ) -> str:
        """Files of a version, or one of them; its number."""
        from mlflow.artifacts import download_artifacts

        version = version or self._client.get_model_version_by_alias(name, alias).version
        place = self._client.get_model_version_download_uri(name, version)
        uri = f"{place}/{file}" if file else place
        download_artifacts(uri, dst_path=str(folder), tracking_uri=self._store.uri)
        return str(version)


def fetch(uri: str, folder: Path) -> Path:
    """Download `models:/NAME@ALIAS` or `models:/NAME/VERSION`, and load nothing of it: its one
    `.keras` file lies in `folder`, which was empty, as `NAME-VERSION.keras`.

    Raises:
        InputError: one line; `uri` is none of the two, MLflow does not answer or knows no such
            model, or it has no `.keras` file, or several.
    """
    parts = re.fullmatch(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))", uri)
    if not parts:
        raise InputError(
            f"{uri}: expected models:/NAME@ALIAS or models:/NAME/VERSION; correct it, or give a "
            ".keras file"
        )
    with opened() as store:
        from mlflow.exceptions import MlflowException

        try:
            name, alias, number = parts.groups()
            version = Registry(store).download(name, number, alias, folder)
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
    return found[0].rename(folder / f"{parts[1]}-{version}.keras")
