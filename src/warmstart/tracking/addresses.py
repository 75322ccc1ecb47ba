"""What of an address may be seen: user, password and query may each be a secret."""

import os
import re
from urllib.parse import unquote, urlsplit

_SECRET = re.compile(r"[?&][^=&]*(?:pass|secret|token|key)[^=&]*=([^&]*)", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^\s/?#]*@")


def shown(uri: str) -> str:
    """`uri` without user, password and query."""
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    scheme, found, _ = uri.partition("://")
    if not found or scheme == "sqlite":
        return uri
    try:
        url = make_url(uri)
        bare = URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
        return bare.render_as_string()
    except (ArgumentError, ValueError):
        return f"{scheme}://…"


def without_login(uri: str) -> str:
    """The address of a server without user and password, which MLflow's client then has from the
    environment: addresses stand in its messages. Of a database nothing is taken away."""
    login = urlsplit(uri).netloc.rpartition("@")[0] if uri.startswith("http") else ""
    if not login:
        return uri
    user, _, password = login.partition(":")
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(user)
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(password)
    return uri.replace(f"{login}@", "", 1)


def hidden(text: str, uri: str) -> str:
    """`text` of somebody who knows `uri`, without what `shown` leaves out of it, in whichever form
    the secret stands there."""
    text = _USER.sub("", text.replace(uri, shown(uri)))
    for secret in sorted(_secrets(uri), key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def _secrets(uri: str) -> set[str]:
    """Words of `uri` that nobody shall see, as they stand there and as a driver decodes them."""
    user, at, _ = uri.partition("://")[2].rpartition("@")
    words = user.split(":", 1)[1:] if at else []
    words += _SECRET.findall(uri)
    return {form for word in words for form in (word, unquote(word)) if form}
