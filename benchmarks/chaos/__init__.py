"""What this project is put through at random, and what must hold afterwards.

`campaign` draws and keeps rows, each other module is one kind of trouble. They break what the tests
break, with the helpers of the tests.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# this checkout's, whatever is installed; what the tests have put there before stays first
sys.path[:0] = [
    place
    for place in (str(ROOT / name) for name in ("src", "tests", "tests/tracking", "benchmarks"))
    if place not in sys.path
]
