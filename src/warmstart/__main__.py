"""`python -m warmstart STAGE …`: arguments, files, exit codes.

0 done; 2 the user's input has to change (one line per problem on standard error); 1 our bug.
Stages are imported when they run: `--help` and a wrong params.yaml answer without TensorFlow.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from warmstart.config import params
from warmstart.errors import InputError
from warmstart.runtime.lifetime import end_with_parent


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = _parser().parse_args(argv)
    try:
        options.command(options)
    except InputError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _check(options: argparse.Namespace) -> None:
    params.load(options.params)


def _prepare(options: argparse.Namespace) -> None:
    known = params.load(options.params)
    from warmstart.stages.prepare import prepare

    prepare(known, options.output)


def _pretrain(options: argparse.Namespace) -> None:
    known = params.load(options.params)
    from warmstart.stages.pretrain import pretrain

    pretrain(known, options.data, options.model, options.output)


def _autoencode(options: argparse.Namespace) -> None:
    known = params.load(options.params)
    from warmstart.stages.autoencode import autoencode

    autoencode(known, options.data, options.models, options.output)


def _transfer(options: argparse.Namespace) -> None:
    known = params.load(options.params)
    from warmstart.stages.transfer import transfer

    encoders = sorted(options.encoders.glob("*.keras")) if options.encoders else ()
    with _file(options.a) as a:
        sources = {"on_a": a} | {f"on_{path.stem}": path for path in encoders}
        transfer(known, options.data, sources, options.model, options.output)


def _compare(options: argparse.Namespace) -> None:
    known = params.load(options.params)
    from warmstart.stages.compare import compare

    compare(known, options.study, options.data, options.model, options.output)


def _report(options: argparse.Namespace) -> None:
    known = params.load(options.params)
    from warmstart.stages.report import report

    report(known, options.results, options.data, options.models, options.output)


def _advise(options: argparse.Namespace) -> None:
    known = params.load(options.params)
    from warmstart.stages.advise import advise

    print(advise(known, options.results, options.data), end="")


def _track(options: argparse.Namespace) -> None:
    from warmstart.tracking.publish import (
        Project,
        publish,
        publish_during,
        publish_until_closed,
    )

    folders = ("results", "reports", "models", "data")
    given = {name: path for name in folders if (path := getattr(options, name))}
    project = Project(**given)
    if options.follow:
        publish_until_closed(sys.stdin, project)
    elif options.during is not None:
        sys.exit(publish_during(options.during, project))
    else:
        print(publish(project))


def _links(options: argparse.Namespace) -> None:
    from warmstart.tracking.links import links

    for link in links():
        print(f"{link.about} {link.text}:\n    {link.url}".lstrip())


@contextmanager
def _file(model: Path) -> Iterator[Path]:
    """`model` itself, or the file that MLflow's registry has of it: stages know only files."""
    if not str(model).startswith("models:/"):
        yield model
        return
    from warmstart.tracking.models import fetch

    with TemporaryDirectory() as folder:
        yield fetch(str(model), Path(folder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m warmstart",
        description="How should a deep network start? One stage of the pipeline; "
        "`dvc repro` runs them all with the paths of dvc.yaml.",
    )
    stages = parser.add_subparsers(title="stages", required=True, metavar="STAGE")

    def add(
        name: str, command: Callable[[argparse.Namespace], None], text: str
    ) -> Callable[..., None]:
        stage = stages.add_parser(name, help=text, description=text)
        stage.add_argument(
            "--params", type=Path, default=Path("params.yaml"), help="parameter file (%(default)s)"
        )
        stage.set_defaults(command=command)

        def path(flag: str, text: str, required: bool = True) -> None:
            stage.add_argument(flag, type=Path, required=required, metavar="PATH", help=text)

        if name == "compare":
            stage.add_argument("study", help="one of compare.studies in the parameter file")
        return path

    data, output = "folder that `prepare` wrote", "folder for records, summary and timings"
    add("check", _check, "name every problem of the parameter file, and do nothing else")
    path = add("prepare", _prepare, "read the data, split and standardize them")
    path("--output", "folder for the prepared data")
    path = add("pretrain", _pretrain, "train model A on task A")
    path("--data", data)
    path("--model", "where model A is saved (.keras)")
    path("--output", output)
    path = add("autoencode", _autoencode, "pretrain encoders without labels")
    path("--data", data)
    path("--models", "folder where the encoders are saved (.keras)")
    path("--output", output)
    path = add("transfer", _transfer, "compare model B from scratch with B on pretrained layers")
    path("--data", data)
    path("--a", "model A: a .keras file, or models:/NAME@ALIAS or models:/NAME/VERSION in MLflow")
    path("--encoders", "folder with further models to start on (.keras)", required=False)
    path("--model", "where model B is saved (.keras)")
    path("--output", output)
    path = add("compare", _compare, "train the arms of one study and compare them")
    path("--data", data)
    path("--model", "where the best network is saved (.keras)")
    path("--output", output)
    path = add("report", _report, "write the report, its plots and the claims")
    path("--results", "folder with the results of all stages")
    path("--data", data)
    path("--models", "folder with the models")
    path("--output", "folder for the report")
    path = add("advise", _advise, "say what to use on these data, with its Keras code")
    path("--results", "folder with the results of all stages")
    path("--data", data)
    path = add("track", _track, "publish to MLflow what it lacks of all results")
    path("--results", "folder with the results of all stages")
    path("--models", "folder with the models, to register them", required=False)
    path("--data", data + ", to judge the models with", required=False)
    path("--reports", "folder with the report, to keep it", required=False)
    stages.choices["track"].add_argument(
        "--follow",
        action="store_true",
        help="publish what is written there until standard input ends",
    )
    stages.choices["track"].add_argument(
        "--during",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help="run this and publish while it runs; its exit code is ours",
    )
    add("links", _links, "print the addresses of MLflow's pages that matter")
    return parser


if __name__ == "__main__":
    if (
        "DVC_STAGE" in os.environ
    ):  # a stage that outlived a killed `dvc repro` would write beside the next
        end_with_parent(os.getppid())
    sys.exit(main())
