"""What to use, in a few sentences and as Keras code."""

from pathlib import Path

from warmstart.analysis.advice import advise as advise_from
from warmstart.analysis.results import read_results
from warmstart.config.params import Params
from warmstart.errors import InputError
from warmstart.files import read_json


def advise(params: Params, results: Path, prepared: Path) -> str:
    """Advice from the studies below `results` on the data in the folder `prepared`.

    Raises:
        InputError: if the data were not prepared, or no study with these parameters was run.
    """
    if not (prepared / "card.json").exists():
        raise InputError(f"{prepared}: expected prepared data, found none; run `dvc repro prepare`")
    full = read_json(prepared / "card.json")
    studies = [read_results(results / "compare" / name) for name in params.compare.studies]
    advice = advise_from(
        params.compare,
        [study for study in studies if study],
        features=full["features"],
        classes=len(full["tasks"]["full"]["class_names"]),
        task=prepared / "full.npz",
    )
    if advice is None:
        raise InputError(
            f"{results}: expected a study with the arms of the parameter file, found none; "
            "run `dvc repro`"
        )
    return f"{advice.text}\n\n{advice.code}"
