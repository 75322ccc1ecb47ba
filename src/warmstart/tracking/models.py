"""Models to MLflow's registry: A, B and the best network of each study, each version with the
preprocessing inside, and `champion` is the one that nobody has beaten.

A version is found again by the digest of the files that it was made of, so publishing twice changes
nothing. One that a killed publisher left without its alias gets it from the next one.
"""

import os
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from warmstart.analysis.words import points
from warmstart.errors import InputError
from warmstart.tracking import tracking_uri
from warmstart.tracking.candidates import Candidate, candidates
from warmstart.tracking.opening import opened
from warmstart.tracking.registry import CHAMPION, Registry, download

CHALLENGER = "challenger"
_ON_THE_CPU = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}
"""For Keras, if it is loaded: the GPU belongs to those who train; and as quiet as workers are."""


def publish_models(models: Path, prepared: Path) -> int:
    """Register what MLflow's registry lacks of `models`, judged on the validation samples in
    `prepared`; how many versions are new.

    Raises:
        InputError: one line; a file cannot be read or MLflow does not answer.
    """
    wanted = candidates(models)
    if not wanted:
        return 0
    for name, value in _ON_THE_CPU.items():
        os.environ.setdefault(name, value)
    with opened(tracking_uri()) as store:
        registry = Registry(store)
        known = {name: registry.versions(name) for name in {c.name for c in wanted}}
        missing = [c for c in wanted if c.digest not in known[c.name]]
        for found in known.values():
            for unsettled in found.values():
                registry.settle(unsettled)
        challenged = set()
        champions: dict[tuple[str, str], Any] = {}
        for candidate in missing:
            alias, reason = _judge(candidate, registry, prepared, champions)
            # of those that lost, `challenger` is the best, which comes first
            given = alias if alias == CHAMPION or candidate.name not in challenged else ""
            challenged |= {candidate.name} if given == CHALLENGER else set()
            registry.add(candidate, given, reason, prepared)
        return len(missing)


def _judge(
    candidate: Candidate,
    registry: Registry,
    prepared: Path,
    champions: dict[tuple[str, str], Any],
) -> tuple[str, str]:
    """Which alias it deserves, and why. `champions` are those that have been loaded."""
    from warmstart.tracking.champion import accuracy_difference, load, takes

    champion = registry.champion(candidate.name)
    if champion is None:
        return CHAMPION, "Champion: there was none."
    against = f"version {champion.version}"
    samples = candidate.samples(prepared)
    if samples is None:
        return CHALLENGER, f"Challenger: not compared with {against}, for want of samples."
    place = champion.name, str(champion.version)
    if place not in champions:
        with tempfile.TemporaryDirectory() as folder:
            try:
                file = download(
                    registry.store, place[0], version=place[1], folder=Path(folder) / "champion"
                )
                champions[place] = load(file)
            except (InputError, TypeError, ValueError) as error:
                received = textwrap.shorten(str(error), 300, placeholder=" …")
                return CHALLENGER, f"Challenger: {against} cannot be loaded ({received})."
    other = champions[place]
    if not takes(other, candidate.shape, len(candidate.card["data"]["classes"])):
        return CHALLENGER, f"Challenger: {against} takes other samples or knows other classes."
    found = accuracy_difference(candidate.model, other, *samples)
    shown = f"{points(found)} on {len(samples.y):,} validation samples against {against}"
    if champion.tags.get("warmstart.data") != candidate.card["data"]["digest"]:
        shown += ", which was trained on other data"
    if found.low is not None and found.low > 0:
        return CHAMPION, f"Champion: {shown}, paired by sample."
    return CHALLENGER, f"Challenger: {shown}, paired by sample; not better beyond doubt."
