"""Requests to a server that we start, as other programs and pages of other sites can send them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.chaos.rows import Done
from hostile_requests import refused, sockets
from prefect_serving import own_server

KIND = "request"
EXPECTED = "refused with 400 or 403, even with the login, and nothing is changed"
COUNT = 96
"""Of different ones."""
PATH, HOSTILE = "/api/variables/", {"name": "hostile", "value": "x"}


@contextmanager
def ready(folder: Path) -> Iterator[Callable[[int], Done]]:
    """Prefect's server as `make prefect` starts it."""
    with own_server(folder) as server:
        token = {name: value for name, value in server.headers().items() if "Csrf" in name}
        known = [("change", r) for r in refused("POST", PATH, HOSTILE, server.login, token)]
        known += [("read", r) for r in refused("GET", "/api/admin/settings", None, server.login)]
        known += [("socket", request) for request in sockets("/api/events/in")]

        def send(seed: int) -> Done:
            what, request = known[seed % len(known)]
            status = request.status(server.url)
            faults = {} if status in (400, 403) else {"changed": f"{status}: {request}"[:300]}
            if held := server.read("variables/filter"):
                faults["changed"] = f"there is a variable {held[0]['name']}: {request}"[:300]
            return Done(what=what, faults=faults)

        yield send
