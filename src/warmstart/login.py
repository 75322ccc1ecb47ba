"""The login of this user's own servers on this machine, and whether one is needed."""

import os
import pwd
import secrets
from contextlib import suppress
from pathlib import Path

from platformdirs import user_config_path

from warmstart.errors import InputError

NOBODY = 65534
PEOPLE = 1000
"""Accounts of people, by the numbers of Linux's distributions, begin here."""
NAMES = Path("/etc/nsswitch.conf")
KNOWN_HERE = {"files", "compat", "systemd", "db"}
"""Sources of accounts that can be counted; of a directory service one sees only who was here."""


def place() -> Path:
    """The file that holds it: NAME:PASSWORD, which nobody else may read."""
    return user_config_path("warmstart") / "login"


def known() -> str:
    """The login; empty where none was made or this user may not read it."""
    try:
        return place().read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def login() -> str:
    """The login, made when it is first asked for.

    Raises:
        InputError: others may read it or it is empty, so it is none.
    """
    file = place()
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name(f".unfinished-{os.getpid()}-{secrets.token_hex(4)}")
        with os.fdopen(
            os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
        ) as out:
            out.write(f"admin:{secrets.token_urlsafe(24)}\n")
        with suppress(FileExistsError):  # another server was first
            os.link(unfinished, file)
        unfinished.unlink()
    about, found = file.stat(), known()
    if about.st_uid != os.geteuid() or about.st_mode & 0o077 or ":" not in found:
        raise InputError(
            f"{file}: expected a line NAME:PASSWORD that only you can read, received a file of "
            f"mode {about.st_mode & 0o777:o} of user {about.st_uid}; remove it, a new one is made"
        )
    return found


def others() -> bool:
    """Whether somebody besides root and this user may be on this machine; True in doubt."""
    try:
        lines = NAMES.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return True
    words = [line.split("#")[0].split() for line in lines]
    sources = {word for first, *rest in filter(None, words) if first == "passwd:" for word in rest}
    people = {one.pw_uid for one in pwd.getpwall() if one.pw_uid >= PEOPLE} - {NOBODY}
    return not sources or not sources <= KNOWN_HERE or bool(people - {os.getuid()})
