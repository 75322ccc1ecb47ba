"""Whether a server answers, known within a time."""

import queue
import threading

from warmstart import deadlines

TIMEOUT_SECONDS = 10.0
"""For an answer, without what its bytes take (`deadlines`)."""


def check(url: str) -> None:
    """Pass where `url` is there.

    Raises:
        OSError: it is not, or no answer came within TIMEOUT_SECONDS.
    """
    import pooch  # takes a moment to import, and only a download needs it

    http = pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS, stream=False)
    answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            http(url, None, None, check_only=True)
            answers.put(None)
        except OSError as error:
            answers.put(error)

    deadlines.whole_answers()
    # in a thread: a name may take minutes to resolve, and a host may have many addresses, each of
    # which is tried until it times out
    threading.Thread(target=ask, daemon=True).start()
    try:
        problem = answers.get(timeout=TIMEOUT_SECONDS)
    except queue.Empty:
        problem = TimeoutError(f"no answer for {TIMEOUT_SECONDS:g} seconds")
    if problem:
        raise problem
