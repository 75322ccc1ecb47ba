"""`python -m flows.server`: Prefect's server and its pages, which ask everybody for a login.

Whoever reaches Prefect's API may run programs as the user of its flows, so a page that is open in
a browser, or another user of the machine, must not.
"""

import argparse
import os
import socket
import sys
from collections.abc import Mapping, Sequence

from warmstart.door import LOCAL, Door
from warmstart.errors import InputError
from warmstart.faults import ended
from warmstart.login import login, place

GIVEN = "PREFECT_SERVER_API_AUTH_STRING"


def main(argv: Sequence[str] | None = None) -> int:
    """0: it was stopped. 2: the user's input, or what the system refuses."""
    return ended(lambda: _serve(argv))


def _serve(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=4200)
    parser.add_argument("--allowed-hosts", default="", help="names by which others call it: A,B")
    given = parser.parse_args(argv)
    names = [name for name in given.allowed_hosts.split(",") if name]
    _check(given.host, given.port, names)
    settings = settings_for(os.environ.get(GIVEN) or login())
    how = f"${GIVEN}" if os.environ.get(GIVEN) else str(place())
    print(f"Prefect: http://{given.host}:{given.port} (log in with what {how} says)", flush=True)
    os.environ |= settings  # Prefect reads them when it is imported
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_SERVER_API_AUTH_STRING

    if PREFECT_SERVER_API_AUTH_STRING.value() != settings[GIVEN]:
        raise RuntimeError("Prefect had been imported before, and would ask nobody for a login")
    app = Door(create_app(final=True), [*LOCAL, *names])
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning")
    return 0


def settings_for(auth: str) -> Mapping[str, str]:
    """Prefect's settings: a login, a token with each change, no pages but its own."""
    return {
        GIVEN: auth,
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "http://127.0.0.1",  # "" would be its default, *
        "PREFECT_SERVER_UI_API_URL": "/api",  # under whichever name the page was opened
    }


def _check(host: str, port: int, names: Sequence[str]) -> None:
    local = host in LOCAL
    if not local and not names:
        raise InputError(
            f"--host: expected 127.0.0.1, received {host}; for others to reach it name what they "
            f"call it, --allowed-hosts prefect.example.org, and give the login in ${GIVEN}"
        )
    if not local and ":" not in os.environ.get(GIVEN, ""):
        raise InputError(
            f"{GIVEN}: expected NAME:PASSWORD, with which others log in, since --host is {host}, "
            "received none; set it, also where flows run, there as PREFECT_API_AUTH_STRING"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise InputError(
                f"--port: expected a free port of {host}, received {port} ({error}); "
                "stop what listens there, or choose another"
            ) from None


if __name__ == "__main__":
    sys.exit(main())
