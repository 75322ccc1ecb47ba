"""Who may talk to a server of ours, whatever it serves."""

import base64
import hmac
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

LOCAL = ("127.0.0.1", "localhost", "[::1]")
"""Names by which this machine calls itself."""
_PAGES = (b"content-security-policy", b"frame-ancestors 'self'; connect-src 'self' blob: data:")
"""Of our pages: within none but their own, where nobody is led to click, and calling nobody."""


class Door:
    """Lets in who calls a server by its own name, from its own pages or from no page at all.

    Any web page may have a browser send requests to any address. The browser says where the page
    is from, in `Origin`, or in `Sec-Fetch-Site` where a request has none. And a page may have its
    own name lead to this machine (DNS rebinding), so that it counts as ours: then `Host` is not a
    name of ours. Programs that are no browsers say what they like: for them there is the login.
    A link from elsewhere may be followed. Refused are 400 a name, 403 a page, 401 a login.
    """

    def __init__(
        self, app: Any, names: Collection[str] = LOCAL, login: str = "", shut: str = ""
    ) -> None:
        """An ASGI application in front of `app`.

        Args:
            names: by which it may be called, at any port, since a tunnel has one of its own
            login: NAME:PASSWORD that a browser asks for; none: nobody is asked
            shut: beginning of the paths that nobody needs; none: all are open
        """
        self._app, self._names, self._shut = app, names, shut
        self._login = b"Basic " + base64.b64encode(login.encode()) if login else b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        problem = None if scope["type"] == "lifespan" else self._problem(scope)

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _PAGES]
            await send(message)

        if not problem:
            await self._app(scope, receive, answer)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            status, why = problem
            asked = {"WWW-Authenticate": 'Basic realm="warmstart"'} if status == 401 else None
            await PlainTextResponse(f"{why}\n", status, asked)(scope, receive, send)

    def _problem(self, scope: Any) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host, *more = headers.getlist("host") or [""]
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if more or name not in self._names:
            return 400, f"expected to be called {', '.join(self._names)}, received {host}"
        origins = headers.getlist("origin")
        if any(urlsplit(origin).netloc != host for origin in origins) or (
            not origins and _from_elsewhere(headers, scope.get("method"))
        ):
            return 403, f"expected requests from pages of {host}, not of other places"
        if self._shut and scope["path"].startswith(self._shut):
            return 403, "not served here"
        given = headers.get("authorization", "").encode()
        if self._login and not hmac.compare_digest(given, self._login):
            return 401, "expected a login"
        return None


def _from_elsewhere(headers: Headers, method: str | None) -> bool:
    """Whether a page of another origin asks, except for a link that somebody follows."""
    followed = method == "GET" and headers.get("sec-fetch-dest") == "document"
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not followed
