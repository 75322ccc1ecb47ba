"""Prefect's temporary server, which a flow starts where it is told of none."""

import secrets
from typing import Any

from prefect import Flow
from prefect.settings import PREFECT_API_URL, temporary_settings

_LOGIN = f"flow:{secrets.token_urlsafe()}"
_GUARDED = {
    "server.api.auth_string": _LOGIN,
    "api.auth_string": _LOGIN,
    "server.api.csrf_protection_enabled": True,
    "server.api.cors_allowed_origins": "http://127.0.0.1",  # not every page; "" would be
}


class GuardedFlow(Flow[..., Any]):
    """Its temporary server knows the flow itself and what that has started, and nobody else.

    They have its login from their environment. The server listens on this machine, where any
    user and any page of a browser could ask it for whatever a flow may do.
    """

    def __call__(self, *args: Any, **more: Any) -> Any:
        with temporary_settings({} if PREFECT_API_URL.value() else _GUARDED):
            return super().__call__(*args, **more)
