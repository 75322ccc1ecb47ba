"""What a run came to, on 80 columns of a terminal: a line for each study, then what to use."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from warmstart.analysis.answers import CHAPTER_ARM
from warmstart.analysis.judging import Judgement
from warmstart.analysis.labels import label
from warmstart.analysis.results import Results
from warmstart.analysis.words import wording
from warmstart.contrasts import Verdict
from warmstart.errors import visible

HEADS: Mapping[Verdict, str] = {
    "practically equal": "equal",
    "better": "better",
    "worse": "worse",
    "open": "open",
}
COLOURS: Mapping[Verdict, str] = {"better": "green", "worse": "red", "open": "yellow"}


def show(judgement: Judgement, report: Path) -> None:
    """Print it, in colours where there is a terminal that has them. `report` is said to be the
    place of the report."""
    console = Console(highlight=False)
    if judgement.studies or judgement.transfer:
        console.print(_table(judgement))
        console.print()
    lines = {"advice": judgement.advice and Text(visible(judgement.advice.headline))}
    lines |= {"transfer": _transfer(judgement.transfer), "report": Text(str(report))}
    for name, line in lines.items():
        if line:
            console.print(Text.assemble((f"{name}: ", "bold"), line))


def _table(judgement: Judgement) -> Table:
    """Of each study the arm that validation chooses, and how many of the others are what."""
    results = [*judgement.studies, *([judgement.transfer] if judgement.transfer else [])]
    title = wording(results[0].summary).title
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("study", no_wrap=True, overflow="ellipsis")
    table.add_column("chosen", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(Text(visible(f"test {title}")), no_wrap=True)  # names are no markup of rich
    for verdict, head in HEADS.items():
        table.add_column(head, justify="right", no_wrap=True, style=COLOURS.get(verdict, ""))
    for study in results:
        table.add_row(*_row(study))
    return table


def _transfer(results: Results | None) -> Text | None:
    """What the chapter's recipe brought against B from scratch."""
    contrast = results and results.contrast(CHAPTER_ARM)
    if not results or not contrast:
        return None
    verdict = (contrast.verdict, COLOURS.get(contrast.verdict, ""))
    gain = wording(results.summary).difference(contrast.difference)
    return Text.assemble(f"{label(CHAPTER_ARM)}: ", verdict, f", {gain}")


def _row(study: Results) -> list[Text]:
    summary = study.summary
    counts = Counter(contrast.verdict for contrast in summary.contrasts.values())
    cells = [
        summary.study or summary.stage,
        label(summary.reference, summary.stage),
        wording(summary).mean(summary.arms[summary.reference].test),
        *(str(counts[verdict] or "") for verdict in HEADS),
    ]
    return [Text(visible(cell)) for cell in cells]
