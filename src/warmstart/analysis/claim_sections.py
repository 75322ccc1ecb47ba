"""The report's section about the chapter's rules."""

from collections.abc import Iterator, Sequence

from warmstart.analysis.claims import Claim
from warmstart.analysis.document import (
    Block,
    Text,
    coloured,
    heading,
    joined,
    paragraph,
    strong,
    table,
)
from warmstart.analysis.words import listed, number


def claims(judged: Sequence[Claim]) -> Iterator[Block]:
    """The chapter's rules, and apart from them those whose answer was known beforehand."""
    counted = [claim for claim in judged if not claim.sanity and not claim.left_out]
    known = [claim for claim in judged if claim.sanity]
    verdicts = [str(claim.verdict) for claim in counted]
    kinds = ("supported", "contradicted", "practically equal", "open")
    tally = listed([f"{verdicts.count(kind)} {kind}" for kind in kinds])
    yield heading(2, "Claims")
    texts = {
        "Rules of the chapter, each held by a paired comparison over seeds against these data, "
        f"split and trained anew as data.splits says: {tally}. p-values are corrected over all "
        "(Holm).": counted,
        "Sanity checks, whose answers are known before the data are; they are not counted.": known,
    }
    for text, rows in texts.items():
        if rows:
            yield paragraph(text)
            yield table(
                rows,
                ("rule", "p", lambda claim: claim.statement),
                ("verdict", "l", lambda claim: coloured(claim.verdict)),
                ("effect (95 %)", "p", lambda claim: claim.shown or None),
                ("seeds", "r", lambda claim: claim.seeds or None),
                ("p", "r", lambda claim: number(claim.p_value, ".2g")),
                ("test, and what it lacks", "p", _test_of),
            )
    if left_out := [claim.statement for claim in judged if claim.left_out]:
        yield paragraph(
            "Left out, since they speak of classes and the target here is a number: "
            f"{'; '.join(left_out)}."
        )


def _test_of(claim: Claim) -> Text:
    """With the edition of the book where it is not the third, which the chapter is taken from."""
    text = f"{claim.test} (2nd edition)" if "2nd edition" in claim.section else claim.test
    return joined(f"{text}. ", strong("It lacks"), f" {claim.missing}") if claim.missing else text
