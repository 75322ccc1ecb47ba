"""The stage that judges: what the records of all others come to, and the report of it."""

from pathlib import Path

from warmstart.analysis.answers import answer, transfer_answer
from warmstart.analysis.judging import judge
from warmstart.analysis.page import write_report
from warmstart.config.params import Params
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
    """
    with Bar("report", 2, "steps") as bar:
        bar.at("judging")
        judgement = judge(params, results, prepared)
        bar.update()
        bar.at("drawing")
        judgement.write(output, models / "cards")
        write_report(judgement, output)
        bar.update()
        bar.at("")
    for study in judgement.studies:
        print(f"{study.summary.title}: {answer(study)}")
    if judgement.transfer:
        print(f"transfer: {transfer_answer(judgement.transfer)}")
