"""`python mortal_prepare.py FOLDER`: the stage `prepare`, killed at each of its steps in turn, each
time into a folder of its own, then run again there. Prints how often it was killed."""

import os
import sys
from itertools import count
from pathlib import Path

from damages import files
from faults import faulty, killed

import parameters
from warmstart.stages.prepare import prepare


def main(folder: Path) -> int:
    options = parameters.params()
    prepare(options, folder / "whole")
    whole = {path.name: path.read_bytes() for path in files(folder / "whole")}
    for number in count():
        place = folder / str(number)
        child = os.fork()
        if not child:
            with faulty(place, number, killed):
                prepare(options, place)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return number
        prepare(options, place)
        assert {path.name: path.read_bytes() for path in files(place)} == whole, number
        assert {path.name for path in place.iterdir()} == whole.keys(), number
    raise AssertionError


if __name__ == "__main__":
    print("killed:", main(Path(sys.argv[1])))
