"""What outlives a command: private files, whole or not at all, one process at a time."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.state import FileStateStore, open_state, read_renamed, state_name
from fitness_buddy.core.validators import ATHLETE_ID

TOKEN = "secret-token-0815"
ATHLETE_IDS = st.sampled_from(["me", "api-read-me", "read-me", "a-b"]) | st.from_regex(ATHLETE_ID, fullmatch=True)


def test_what_was_written_is_read_and_nothing_was_before(tmp_path: Path) -> None:
    store = FileStateStore(tmp_path / "a" / "b")
    assert store.read("strava-ada") is None
    store.write("strava-ada", {"refresh_token": TOKEN})
    store.write("strava-ada", {"refresh_token": "é", "expires_at": 1.5})
    assert store.read("strava-ada") == {"refresh_token": "é", "expires_at": 1.5}
    assert store.read("strava-bob") is None


def test_only_its_user_sees_it_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = FileStateStore(folder)
    umask = os.umask(0)
    try:
        with store.exclusive("strava-ada"):
            store.write("strava-ada", {"refresh_token": TOKEN})
    finally:
        os.umask(umask)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "strava-ada.json": 0o600,
        "strava-ada.lock": 0o600,
    }


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "strava-ada.json"
    path.write_text('{"refresh_token": "copied by hand"}')
    path.chmod(0o644)
    assert FileStateStore(tmp_path).read("strava-ada") == {"refresh_token": "copied by hand"}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"", b'{"refresh_token": "' + TOKEN.encode(), b'["' + TOKEN.encode() + b'"]', b"\xff"]
)
def test_a_damaged_file_is_named_without_its_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "strava-ada.json"
    path.write_bytes(content)
    with pytest.raises(BuddyError) as caught:
        FileStateStore(tmp_path).read("strava-ada")
    assert str(path) in str(caught.value)
    assert "Delete it" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\n", "x" * 101])
def test_a_name_is_one_plain_word(tmp_path: Path, name: str) -> None:
    store = FileStateStore(tmp_path)
    with pytest.raises(ValueError, match="cannot be the name"):
        store.read(name)
    with pytest.raises(ValueError, match="cannot be the name"):
        store.write(name, {})
    with pytest.raises(ValueError, match="cannot be the name"), store.exclusive(name):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    store = FileStateStore(tmp_path)
    store.write("strava-ada", {"refresh_token": "old"})

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os if function == "fsync" else Path, function, fail)
    with pytest.raises(BuddyError, match=r"strava-ada\.json: cannot be written: No space left on device"):
        store.write("strava-ada", {"refresh_token": TOKEN})
    assert store.read("strava-ada") == {"refresh_token": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["strava-ada.json"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FileStateStore(tmp_path / "file" / "state")
    with pytest.raises(BuddyError, match=r"file/state.*cannot be"):
        store.write("strava-ada", {})
    with pytest.raises(BuddyError, match=r"file/state.*cannot be"), store.exclusive("strava-ada"):
        pass


def test_a_name_is_held_by_one_at_a_time_and_the_others_say_whom_they_wait_for(tmp_path: Path) -> None:
    first, second = FileStateStore(tmp_path), FileStateStore(tmp_path, lock_timeout_s=0.1)
    with first.exclusive("strava-ada"):
        problem = r"strava-ada\.lock: held by another buddy for more than 0\.1 s"
        with pytest.raises(BuddyError, match=problem), second.exclusive("strava-ada"):
            pass
        with second.exclusive("strava-bob"):
            pass
    with pytest.raises(KeyError), second.exclusive("strava-ada"):
        raise KeyError("released all the same")
    with first.exclusive("strava-ada"):
        pass


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, os, pathlib\n"
        "from fitness_buddy.core.state import FileStateStore\n"
        "store = FileStateStore(pathlib.Path(sys.argv[1]))\n"
        "with store.exclusive('strava-ada'):\n"
        "    store.write('strava-ada', {'written': True})\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    store = FileStateStore(tmp_path, lock_timeout_s=1)
    with store.exclusive("strava-ada"):
        assert store.read("strava-ada") == {"written": True}


def test_the_folder_is_stated_or_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("BUDDY_STATE_DIR", str(tmp_path / "stated"))
    open_state().write("strava-ada", {"in": "stated"})
    monkeypatch.setenv("BUDDY_STATE_DIR", "")
    if sys.platform == "linux":
        open_state().write("strava-ada", {"in": "xdg"})
        assert json.loads((tmp_path / "xdg/fitness-buddy/strava-ada.json").read_text()) == {"in": "xdg"}
    assert json.loads((tmp_path / "stated/strava-ada.json").read_text()) == {"in": "stated"}


@given(
    st.lists(
        st.tuples(st.sampled_from(["strava", "strava-api-read", "google-health", "google-health-read"]), ATHLETE_IDS),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_no_two_states_of_athletes_meet(states: list[tuple[str, str]]) -> None:
    """Defect: athlete `api-read-me` overwrote the login state of another."""
    assert len({state_name(purpose, athlete_id) for purpose, athlete_id in states}) == 2


def test_what_an_earlier_version_wrote_is_read_if_it_is_of_the_same_kind(tmp_path: Path) -> None:
    store = FileStateStore(tmp_path)
    store.write("strava-api-read-me", {"read_until": "2026-11-01"})
    assert read_renamed(store, "strava@api-read-me", "strava-api-read-me", "refresh_token") is None
    assert read_renamed(store, "strava-api-read@me", "strava-api-read-me", "read_until") == {"read_until": "2026-11-01"}
    store.write("strava-api-read@me", {})
    assert read_renamed(store, "strava-api-read@me", "strava-api-read-me", "read_until") == {}
