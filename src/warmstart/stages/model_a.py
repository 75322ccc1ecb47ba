"""A model A that is not trained here: what it is, and what becomes of the data before it.

A stack of layers that strategies can take apart, on the features of the data, stays as it is. All
else is wrapped as a backbone (`networks.backbones`), whose features heads are trained on.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from warmstart.config.model_a import ModelA
from warmstart.data import encoder
from warmstart.data.dataset import Dataset
from warmstart.data.standardization import Standardization
from warmstart.data.view import View
from warmstart.errors import InputError, visible
from warmstart.files import replacing
from warmstart.seeds import derive
from warmstart.training import setup

if TYPE_CHECKING:  # Keras is loaded where there is a model A of the user's
    from warmstart.networks.backbones import Wrapped


def bring(a: ModelA, own: Path | None, data: Path, root_seed: int, model: Path) -> None:
    """Write model A as `model`, and say what becomes of the data where that is a backbone.

    Args:
        own: the file of `a`; None: of an application.
        data: folder that `prepare` wrote.
        root_seed: of random weights.

    Raises:
        InputError: if it does not fit the data, or its weights cannot be had.
    """
    view = View.read(data, "full")
    made = _made(a, own, view.dataset, view.standardization, root_seed, download=True)
    if made is None:
        assert own
        with replacing(model) as unfinished:
            shutil.copyfile(own, unfinished)
        return
    from warmstart.networks import saving

    saving.save(made.model, model)
    print(visible(f"pretrain: model A {a}: {made.said}"))


def foreseen(
    a: ModelA, own: Path | None, dataset: Dataset, root_seed: int, *, download: bool
) -> str:
    """What `bring` is going to say, or what weights are missing; empty: nothing.

    Args:
        a, own, root_seed: as of `bring`.
        download: whether weights that are not on this machine are fetched at once.

    Raises:
        InputError: as `bring`.
    """
    titles = list(encoder.titles(dataset.columns))
    plain = Standardization.none(len(titles) or dataset.x.shape[1])
    try:
        made = _made(a, own, dataset, plain, root_seed, download=download)
    except LookupError as lacking:
        return f"transfer: model A {a}: {lacking.args[0]}"
    return f"transfer: model A {a}: {made.said}" if made else ""


def _made(
    a: ModelA,
    own: Path | None,
    dataset: Dataset,
    standardization: Standardization,
    root_seed: int,
    *,
    download: bool,
) -> "Wrapped | None":
    """The backbone; None: `own` is a stack for these data."""
    setup.load(setup.backend())
    from warmstart.networks import backbones, saving

    samples = backbones.Samples.of(dataset.x, dataset.shape, standardization)
    if own is None:
        seed = derive(root_seed, "backbone")
        return backbones.wrap_application(a, samples, seed, download=download)
    model = saving.foreign(own)
    # whoever says what pixels it sees wants it as it is
    if not (a.pixels or a.size) and _is_stack(own, samples.features):
        return None
    return backbones.wrap_own(a, model, samples)


def _is_stack(own: Path, features: int) -> bool:
    from warmstart.networks import transfer

    try:
        return bool(transfer.load(own).input_shape[-1] == features)
    except InputError:
        return False
