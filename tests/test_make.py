"""Targets of the Makefile that take something from the command line."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from whole_runs import MAKE_RUN

ROOT = Path(__file__).parents[1]


def last_line(*arguments: str, **environment: str) -> str:
    """Of what `make run` would do."""
    if not shutil.which("make"):
        pytest.skip("needs make")
    command = ["make", "--dry-run", "--no-print-directory", "run", *arguments]
    said = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return said.stdout.splitlines()[-2].split("src/prefect_dvc/dvc_process.py ", 1)[1]


def test_what_tests_start_as_make_run_is_what_it_starts() -> None:
    assert last_line() == " ".join(MAKE_RUN).split("src/prefect_dvc/dvc_process.py ", 1)[1]


def test_data_of_ones_own_are_named_on_the_command_line() -> None:
    assert last_line(DATA="not meant", TARGET="not meant") == "dvc repro"
    assert last_line("DATA=my data/trees.csv", "TARGET=my kind") == (
        "dvc exp run --set-param 'data.path=\"my data/trees.csv\"' "
        "--set-param 'data.name=\"trees\"' --set-param transfer.task_b=auto "
        "--set-param 'transfer.label_counts=[all]' "
        "--set-param 'data.target=\"my kind\"'"
    )
    assert last_line("DATA=a.npz", "NAME=leaves") == (
        "dvc exp run --set-param 'data.path=\"a.npz\"' --set-param 'data.name=\"leaves\"' "
        "--set-param transfer.task_b=auto --set-param 'transfer.label_counts=[all]'"
    )
    assert last_line("TARGET=kind") == "dvc exp run --set-param 'data.target=\"kind\"'"
