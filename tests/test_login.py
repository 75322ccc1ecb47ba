"""The file with the login, and whether one is needed."""

import pwd
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from warmstart import login as module
from warmstart.errors import InputError
from warmstart.login import known, login, others, place


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_it_is_made_once_for_this_user_alone() -> None:
    assert known() == ""
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: login(), range(16)))
    assert found == {known()}
    name, password = found.pop().split(":")
    assert name == "admin"
    assert len(password) == 32  # 24 bytes
    assert place().stat().st_mode & 0o777 == 0o600
    assert [*place().parent.iterdir()] == [place()]  # no half of one


@pytest.mark.parametrize(("mode", "text"), [(0o644, "a:b\n"), (0o640, "a:b"), (0o600, "")])
def test_one_that_others_may_read_or_that_is_none_is_refused(mode: int, text: str) -> None:
    place().parent.mkdir(parents=True)
    place().write_text(text)
    place().chmod(mode)
    with pytest.raises(InputError) as caught:
        login()
    (line,) = caught.value.problems
    assert f"of mode {mode:o}" in line
    assert "remove it" in line


@pytest.mark.parametrize(
    ("sources", "people", "expected"),
    [
        ("passwd: files systemd\n", [], False),
        ("# passwd: ldap\npasswd:\tfiles # ours\ngroup: sss\n", [], False),
        ("passwd: files\n", [0, 33, 999, 65534], False),
        ("passwd: files\n", [1001], True),
        ("passwd: compat\n", [1_200_000_001], True),
        ("passwd: files sss\n", [], True),  # of whom only those are known who were here
        ("group: files\n", [], True),
        (None, [], True),
    ],
)
def test_a_login_is_needed_where_others_are_and_in_doubt(
    sources: str | None,
    people: list[int],
    expected: bool,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if sources is not None:
        (home / "nsswitch.conf").write_text(sources)
    monkeypatch.setattr(module, "NAMES", home / "nsswitch.conf")
    monkeypatch.setattr(module.os, "getuid", lambda: 1000)
    accounts = [SimpleNamespace(pw_uid=uid) for uid in (1000, *people)]
    monkeypatch.setattr(pwd, "getpwall", lambda: accounts)
    assert others() is expected
