"""The tables of docs/chapter.md and docs/chapter.ko.md, from results: nobody types their numbers.

    python docs/chapter_tables.py 11.1.1           print a section's tables, of your own last run
    python docs/chapter_tables.py                  write both pages' tables anew from chapter.json
    python docs/chapter_tables.py --take COMMAND   the same, after the last run, which COMMAND made,
                                                   was put into chapter.json under its data's name

A page says where a table goes: `<!-- rules 11.1.1 -->`, the table, `<!-- end -->`.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from warmstart.analysis.chapter import RULES, Rule
from warmstart.analysis.summary import Summary, read_summary
from warmstart.analysis.words import wording
from warmstart.files import read_json, read_sealed, write_json
from warmstart.records import times_of

HERE = Path(__file__).resolve().parent
KEPT, BOOK = HERE / "chapter.json", HERE.parent / "benchmarks/results/book.json"
PAGES = {"en": HERE / "chapter.md", "ko": HERE / "chapter.ko.md"}
WORDS = YAML(typ="safe", pure=True).load((HERE / "chapter_words.yaml").read_text(encoding="utf-8"))
SECTIONS = {
    "The vanishing/exploding gradients problems": "11.1",
    "Glorot and He initialization": "11.1.1",
    "Better activation functions": "11.1.2",
    "Nonsaturating activation functions": "11.1.2",
    "Batch normalization": "11.1.3",
    "Gradient clipping": "11.1.4",
    "Reusing pretrained layers": "11.2",
    "Unsupervised pretraining": "11.2.2",
}
STUDIES = {
    "11.1": ("depth",),
    "11.1.1": ("initializer", "pairing", "head"),
    "11.1.2": ("activation", "self_normalizing"),
    "11.1.3": ("batch_norm",),
    "11.1.4": ("clipping",),
}
ARMS = {
    "11.2.1": ("scratch", "on_a", "on_a_thaw_at_once", "on_a_head_only"),
    "11.2.2": ("scratch", "on_stacked", "on_denoising", "on_rotation"),
}
"""Of the stage `transfer`."""
EXPERIMENTS = {
    "11.1": ("100 layers",),
    "11.1.2": ("leaky ReLU and PReLU",),
    "11.1.3": ("batch norm",),
    "11.2.1": ("sandal or shirt", "T-shirt or pullover"),
}
"""Of the book, which `make book` repeats."""
NAMED = 6
"""A list of more arms than this is given as their number."""
NOT_RUN = "which was not run"
"""What a claim says of its study."""
Kept = Mapping[str, Mapping[str, Any]]
"""Data -> what a run on them came to."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="chapter_tables.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("section", nargs="?", choices=sorted({*SECTIONS.values(), *ARMS}))
    parser.add_argument("--take", metavar="COMMAND")
    options = parser.parse_args(argv)
    if (options.section or options.take) and not Path("reports/claims.json").exists():
        print(
            "error: reports/claims.json: expected the results of a run, received no such file; "
            "run `dvc repro` here first",
            file=sys.stderr,
        )
        return 2
    if options.section:
        kept = own_run(Path(), "")
        kinds = {"rules": rules, "studies": studies, "arms": arms}
        tables = [table(options.section, kept, "en") for table in kinds.values()]
        print("\n\n".join(filter(None, tables)))
        return 0
    if options.take:
        kept = (read_json(KEPT) if KEPT.exists() else {}) | own_run(Path(), options.take)
        write_json(KEPT, kept)
    for language, page in PAGES.items():
        page.write_text(filled(page.read_text(encoding="utf-8"), language), encoding="utf-8")
    return 0


def own_run(project: Path, command: str) -> dict[str, dict[str, Any]]:
    """What the reports of `project` say, under the name of its data."""
    card = read_sealed(project / "data/prepared/card.json")
    path = times_of(project / "results/pretrain")
    timings = read_sealed(path) if path.exists() else {}  # data without a model B have none
    summaries = project / "reports/summaries"
    claims = read_json(project / "reports/claims.json")
    transfer = read_summary(path) if (path := summaries / "transfer.json").exists() else None
    told = ("verdict", "shown", "seeds", "missing")
    return {
        card["name"]: {
            "command": command,
            "machine": timings.get("machine"),
            "versions": timings.get("versions"),
            "training_samples": card["tasks"]["full"]["train"]["n"],
            "claims": {claim["id"]: {key: claim[key] for key in told} for claim in claims},
            "studies": {
                name: _study(read_summary(path))
                for name in sum(STUDIES.values(), ())
                if (path := summaries / f"compare/{name}.json").exists()
            },
            "arms": {
                arm: _arm(transfer, arm)
                for arm in dict.fromkeys(sum(ARMS.values(), ()))
                if transfer and arm in transfer.arms
            },
        }
    }


def _study(summary: Summary) -> dict[str, Any]:
    """Which arm validation chooses, and the others by their verdict against it."""
    chosen, judged = summary.reference, summary.contrasts.values()
    verdicts = ("practically equal", "better", "worse", "open")
    return {
        "chosen": chosen,
        "accuracy": wording(summary).mean(summary.arms[chosen].test),
        "seeds": summary.arms[chosen].test.n,
        "others": {v: [c.arm for c in judged if c.verdict == v] for v in verdicts},
    }


def _arm(summary: Summary, arm: str) -> dict[str, Any]:
    """An arm of `transfer`, held against scratch."""
    contrast = next((c for c in summary.contrasts.values() if c.arm == arm), None)
    return {
        "accuracy": wording(summary).mean(summary.arms[arm].test),
        "difference": wording(summary).difference(contrast.difference) if contrast else "",
        "verdict": contrast.verdict if contrast else "",
    }


def filled(page: str, language: str) -> str:
    """`page` with every table between its markers written anew."""
    kept = read_json(KEPT)
    tables: dict[str, Callable[[str], str]] = {
        "rules": lambda section: rules(section, kept, language),
        "studies": lambda section: studies(section, kept, language),
        "arms": lambda section: arms(section, kept, language),
        "book": lambda section: book(section, language),
        "runs": lambda _: runs(kept, language),
    }

    def table(marker: re.Match[str]) -> str:
        kind, section = marker["kind"], marker["section"] or ""
        return f"<!-- {f'{kind} {section}'.strip()} -->\n\n{tables[kind](section)}\n\n<!-- end -->"

    pattern = r"(?ms)^<!-- (?P<kind>[a-z]+)(?: (?P<section>[\d.]+))? -->\n.*?^<!-- end -->"
    return re.sub(pattern, table, page)


def rules(section: str, kept: Kept, language: str) -> str:
    """A row a rule of the section: what each data set says of it."""
    rows = []
    for rule in (rule for rule in RULES if SECTIONS[rule.section] == section):
        cells = [_verdict(one["claims"][rule.id], language) for one in kept.values()]
        rows.append([_statement(rule, language), f"`{rule.study}`", *cells])
    return _table(["rule", "study", *kept], rows, language)


def _statement(rule: Rule, language: str) -> str:
    said, words = rule.statement, WORDS[language]
    if language != "en":
        said = words["rules"][rule.id]
    notes = [words["second"]] * (rule.edition == 2) + [words["sanity"]] * rule.sanity
    return f"{said} ({', '.join(notes)})" if notes else said


def _verdict(claim: Mapping[str, Any], language: str) -> str:
    words = WORDS[language]
    if NOT_RUN in claim["missing"]:
        return "–"
    verdict = words["verdicts"][claim["verdict"]]
    if claim["verdict"] != "open":
        verdict = f"**{verdict}**"
    missing = claim["missing"] and words["missing"].format(claim["missing"])
    told = [part for part in (claim["shown"], missing) if part]
    return f"{verdict}: {_translated('; '.join(told), language)}"


def studies(section: str, kept: Kept, language: str) -> str:
    """A row a study of the section and data set: the chosen arm, and the others against it."""
    words = WORDS[language]
    rows = []
    for study in STUDIES.get(section, ()):
        for data, one in kept.items():
            if not (found := one["studies"].get(study)):
                continue
            others = [
                f"{words['verdicts'][verdict]}: {_listed(arms, language)}"
                for verdict, arms in found["others"].items()
                if arms
            ]
            row = [f"`{study}`", _data(data), f"`{found['chosen']}`"]
            row += [_translated(found["accuracy"], language), str(found["seeds"])]
            rows.append([*row, "; ".join(others)])
    head = ["study", "data", "chosen", "accuracy", "seeds", "others"]
    return _table(head, rows, language)


def _listed(arms: Sequence[str], language: str) -> str:
    if len(arms) > NAMED:
        return WORDS[language]["arms"].format(len(arms))
    return ", ".join(f"`{arm}`" for arm in arms)


def arms(section: str, kept: Kept, language: str) -> str:
    """A row for each of some arms of `transfer`: its accuracy, and its difference from scratch."""
    words = WORDS[language]
    rows = []
    for arm in ARMS.get(section, ()):
        row = [f"{words['starts'][arm]} (`{arm}`)"]
        for one in kept.values():
            found = one["arms"].get(arm)
            if not found:
                row.append("–")
                continue
            cell = _translated(found["accuracy"], language)
            if found["verdict"]:
                verdict = words["verdicts"][found["verdict"]]
                cell += f"; {_translated(found['difference'], language)}: {verdict}"
            row.append(cell)
        rows.append(row)
    return _table(["start", *kept], rows, language)


def book(section: str, language: str) -> str:
    """The book's own experiments, repeated by `make book`, in its table."""
    words = WORDS[language]
    rows = []
    for row in read_json(BOOK)["rows"]:
        if row["experiment"] not in EXPERIMENTS[section]:
            continue
        said = [words["experiments"][row["experiment"]], words["contenders"][row["arm"]]]
        said.append(words["measures"][row["measure"]])
        ours = _book_value(row["measure"], row["mean"], row["low"], row["high"])
        theirs = "–" if row["book"] is None else _book_value(row["measure"], row["book"])
        values = [_translated(value, language) for value in (theirs, ours)]
        rows.append([*said, *values, str(row["seeds"])])
    return _table(["experiment", "arm", "measure", "book", "ours", "seeds"], rows, language)


def _book_value(measure: str, mean: float, *bounds: float) -> str:
    if measure == "error factor":
        text, ends = f"× {mean:.2f}", [f"× {end:.2f}" for end in bounds]
    elif measure == "difference":
        text, ends = f"{100 * mean:+.2f} points", [f"{100 * end:+.2f}" for end in bounds]
    else:
        text, ends = f"{100 * mean:.2f} %", [f"{100 * end:.2f}" for end in bounds]
    return f"{text} ({ends[0]} to {ends[1]})" if ends else text


def runs(kept: Kept, language: str) -> str:
    """Which command gave the numbers of which data set."""
    rows = [
        [_data(data), f"{one['training_samples']:,}", f"`{one['command']}`"]
        for data, one in kept.items()
    ]
    return _table(["data", "samples", "command"], rows, language)


def _data(name: str) -> str:
    return WORDS["data"].get(name, name)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], language: str) -> str:
    """Markdown; empty without rows."""
    if not rows:
        return ""
    titles = [WORDS[language]["heads"].get(title) or _data(title) for title in head]
    lines = [titles, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _translated(text: str, language: str) -> str:
    for pattern, replacement in WORDS[language].get("phrases", {}).items():
        text = re.sub(pattern, replacement, text)
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
