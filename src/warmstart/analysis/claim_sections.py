"""The report's section about the chapter's rules."""

from collections.abc import Iterator, Sequence

from warmstart.analysis.claims import Claim, Decision
from warmstart.analysis.document import (
    Block,
    Column,
    Text,
    coloured,
    folded,
    joined,
    paragraph,
    section,
    strong,
    table,
)
from warmstart.analysis.words import listed, number

TITLE, ANCHOR = "Claims", "claims"
_KINDS: tuple[Decision, ...] = ("supported", "contradicted", "practically equal", "open")
_RULE = Column("rule", "p", lambda claim: claim.statement)
_VERDICT = Column(
    "verdict",
    "l",
    lambda claim: coloured(claim.verdict),
    lambda claim: _KINDS.index(claim.verdict),
)
_EFFECT = Column(
    "effect (95 %)", "p", lambda claim: claim.shown or None, lambda claim: claim.effect
)


def tally(judged: Sequence[Claim]) -> str:
    """`11 supported, 1 contradicted, 8 practically equal and 23 open`."""
    verdicts = [claim.verdict for claim in judged if _counts(claim)]
    return listed([f"{verdicts.count(kind)} {kind}" for kind in _KINDS])


def claims(judged: Sequence[Claim]) -> Block:
    """The chapter's rules: those that are decided, and folded up the open ones, those whose answer
    was known beforehand, and how each was tested."""
    counted = [claim for claim in judged if _counts(claim)]
    decided = [claim for claim in counted if claim.verdict != "open"]
    undecided = [claim for claim in counted if claim.verdict == "open"]
    known = [claim for claim in judged if claim.sanity]
    return section(TITLE, ANCHOR, _parts(judged, counted, decided, undecided, known))


def _counts(claim: Claim) -> bool:
    return not claim.sanity and not claim.left_out


def _parts(
    judged: Sequence[Claim],
    counted: Sequence[Claim],
    decided: Sequence[Claim],
    undecided: Sequence[Claim],
    known: Sequence[Claim],
) -> Iterator[Block]:
    yield paragraph(f"Of {len(counted)} rules of the chapter: {tally(judged)}.")
    if decided:
        yield table("Rules that are decided here", decided, _RULE, _VERDICT, _EFFECT)
    if undecided:
        caption = "Rules that these data leave open"
        missing = Column("it lacks", "p", lambda claim: claim.missing or None)
        yield folded(
            f"{len(undecided)} rules that stay open",
            [table(caption, undecided, _RULE, _EFFECT, missing)],
        )
    if known:
        caption = "Sanity checks, whose answers are known before the data are; they do not count"
        yield folded(
            f"{len(known)} sanity checks", [table(caption, known, _RULE, _VERDICT, _EFFECT)]
        )
    if judged:
        yield folded("How each rule was tested, with seeds and p-values", [_tests(judged)])
    if left_out := [claim.statement for claim in judged if claim.left_out]:
        yield paragraph(
            "Left out, since they speak of classes and the target here is a number: "
            f"{'; '.join(left_out)}."
        )


def _tests(judged: Sequence[Claim]) -> Block:
    caption = (
        "Each rule is held by a paired comparison over seeds against these data, split and trained "
        "anew as data.splits says; p-values are corrected over all rules (Holm)"
    )
    return table(
        caption,
        [claim for claim in judged if not claim.left_out],
        _RULE,
        Column("seeds", "r", lambda claim: claim.seeds or None, lambda claim: claim.seeds),
        Column("p", "r", lambda claim: number(claim.p_value, ".2g"), lambda claim: claim.p_value),
        Column("test, and what it lacks", "p", _test_of),
    )


def _test_of(claim: Claim) -> Text:
    """With the edition of the book where it is not the third, which the chapter is taken from."""
    text = f"{claim.test} (2nd edition)" if "2nd edition" in claim.section else claim.test
    return joined(f"{text}. ", strong("It lacks"), f" {claim.missing}") if claim.missing else text
