"""The user's loop once per core, side by side: each process has its share of the trials."""

import subprocess
import sys
from dataclasses import replace

from engines.job import Job, Report, share


def run(job: Job) -> Report:
    """This process only waits: it loads neither TensorFlow nor data."""
    shares = [replace(share(job, worker), engine="fit") for worker in range(job.workers)]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "engines", one.to_json()], stdout=subprocess.PIPE, text=True
        )
        for one in shares
    ]
    # both are read to their end before either is judged, so that none is left behind
    printed = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        raise RuntimeError("fit-2-processes: a process failed; what it said stands above")
    reports = [Report.from_json(text.splitlines()[-1]) for text in printed]
    return Report(
        workers=job.workers, trials=tuple(trial for report in reports for trial in report.trials)
    )
