"""The stage that judges: what the records of all others come to, and the report of it."""

from pathlib import Path

from warmstart.analysis.judging import judge
from warmstart.analysis.page import write_report
from warmstart.analysis.screen import show
from warmstart.config.params import Params
from warmstart.errors import InputError
from warmstart.progress import Bar


def report(params: Params, results: Path, prepared: Path, models: Path, output: Path) -> None:
    """Write summaries, metrics, claims and the report of whatever stages have results below
    `results` into `output`, and the cards of the saved models into `models/cards`.

    Args:
        params: of the run.
        results: folder with `pretrain`, `autoencode`, `transfer`, `compare/STUDY` and `yardsticks`.
        prepared: folder that `prepare` wrote.
        models: folder with the models.
        output: folder to write to.

    Raises:
        InputError: if no stage has results there.
    """
    if not any(results.rglob("records.parquet")):
        raise InputError(
            f"{results}: expected records of a stage, found none; run `make run` or `dvc repro`"
        )
    with Bar("report", 2, "steps") as bar:
        bar.at("judging")
        judgement = judge(params, results, prepared)
        bar.at("drawing")
        bar.update()
        judgement.write(output, models / "cards")
        write_report(judgement, output)
        bar.at("")
        bar.update()
    show(judgement, output / "report.html")
