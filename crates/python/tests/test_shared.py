"""The place that Checkbox's root agent and its user share, as root, as that user, and as somebody else."""

import contextlib
import grp
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pitstop.compat._shared import make_directory
from pitstop.compat.checkbox_ng import SessionStorage, WellKnownDirsHelper

USER, GROUP, OTHER = 12345, 54321, 23456
# One that the system knows, with a group of its own.
MEMBER = 1

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")

@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """In a directory like /var/tmp: everybody's, but to each what he made."""
    for name in ("SUDO_GID", "PITSTOP_CHECKBOX_GROUP"):
        monkeypatch.delenv(name, raising=False)
    with TemporaryDirectory(dir="/var/tmp") as directory:
        os.chmod(directory, 0o1777)
        yield os.path.join(directory, "checkbox-ng")


def run(base: str, call: str, uid: int = 0, gid: int = 0, **environment: str) -> Any:
    """What a call gives in a process of this user, whose umask takes all away that it can."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Not another program: these users may not read this one's files.
        os.environ.update(environment)
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        os.umask(0o077)
        WellKnownDirsHelper.base_of_everything = base
        try:
            answer = eval(call)
        except Exception as error:
            answer = [type(error).__name__, str(error)]
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        said = answers.read()
    os.waitpid(child, 0)
    return json.loads(said)


def user(base: str, call: str) -> Any:
    return run(base, call, USER, GROUP)


def somebody_else(base: str, call: str) -> Any:
    return run(base, call, OTHER, OTHER)


def mode(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


LIST = "[it.id for it in WellKnownDirsHelper.get_storage_list()]"


def save(id: str, data: str) -> str:
    return f"SessionStorage({id!r}).save_checkpoint({data.encode()!r})"


def load(id: str) -> str:
    return f"SessionStorage({id!r}).load_checkpoint().decode()"


@needs_root
def test_root_and_the_user_share_sessions_and_nobody_else_does(base: str) -> None:
    group: dict[str, Any] = {"PITSTOP_CHECKBOX_GROUP": str(GROUP)}
    ids = [run(base, "SessionStorage.create('root-').id", **group)]
    ids.append(user(base, "SessionStorage.create('user-').id"))
    for id in ids:
        for who, data in ((run, "root's"), (user, "user's"), (run, "root's again")):
            assert who(base, save(id, data)) is None
            assert run(base, load(id)) == user(base, load(id)) == data
        share = f"open(WellKnownDirsHelper.session_share({id!r}) + '/' + NAME, 'w').close()"
        assert user(base, share.replace("NAME", "'by-user'")) is None
        assert run(base, share.replace("NAME", "'by-root'")) is None
    assert sorted(run(base, LIST)) == sorted(user(base, LIST)) == sorted(ids)
    for directory, _, files in os.walk(base):
        assert mode(directory) == 0o2770 and os.stat(directory).st_gid == GROUP
        for file in files:
            if file.startswith("session"):
                assert mode(os.path.join(directory, file)) == 0o660, file
    for call in (LIST, load(ids[0]), save(ids[0], "mine"), "SessionStorage.create().id"):
        assert somebody_else(base, call)[0] == "PermissionError", call
    assert run(base, load(ids[0])) == "root's again"
    assert user(base, f"SessionStorage({ids[0]!r}).remove()") is None
    assert run(base, LIST) == [ids[1]]


@needs_root
def test_root_that_came_by_sudo_shares_with_who_called_it(base: str) -> None:
    id = run(base, "SessionStorage.create().id", SUDO_GID=str(GROUP))
    assert user(base, save(id, "resumed")) is None
    assert somebody_else(base, LIST)[0] == "PermissionError"


@needs_root
def test_what_a_member_makes_first_is_his_until_root_takes_it_over(base: str) -> None:
    def member(base: str, call: str) -> Any:
        return run(base, call, MEMBER, MEMBER)

    id = member(base, "SessionStorage.create().id")
    assert member(base, save(id, "his")) is None
    assert os.stat(base).st_uid == MEMBER
    name, text = somebody_else(base, "SessionStorage.create().id")
    assert name == "PermissionError" and base in text
    run(base, "SessionStorage.create().id", PITSTOP_CHECKBOX_GROUP=str(MEMBER))
    for directory in (base, os.path.join(base, "sessions")):
        assert (os.stat(directory).st_uid, os.stat(directory).st_gid) == (0, MEMBER)
    assert member(base, load(id)) == run(base, load(id)) == "his"


@needs_root
def test_what_a_stranger_makes_first_is_moved_aside(base: str) -> None:
    id = somebody_else(base, "SessionStorage.create().id")
    assert somebody_else(base, save(id, "forged")) is None
    # Root neither lists nor loads it.
    assert run(base, LIST) == []
    assert run(base, load(id))[0] == "FileNotFoundError"
    assert os.listdir(base + ".aside-1") == ["sessions"] and not os.path.lexists(base)
    new = run(base, "SessionStorage.create('mine-').id", PITSTOP_CHECKBOX_GROUP=str(GROUP))
    assert run(base, LIST) == [new] and run(base, load(new)) == ""
    assert (os.stat(base).st_uid, os.stat(base).st_gid) == (0, GROUP)


@needs_root
@pytest.mark.parametrize("kind", ["open", "link", "strangers"])
def test_sessions_that_were_planted_are_neither_used_nor_read(base: str, kind: str) -> None:
    group: dict[str, Any] = {"PITSTOP_CHECKBOX_GROUP": str(GROUP)}
    run(base, "SessionStorage.create().id", **group)
    sessions, target = os.path.join(base, "sessions"), Path(base).with_name("target")
    os.rename(sessions, target)
    os.chown(target, OTHER, OTHER)
    os.chmod(target, 0o2777)
    planted = target / "forged.session"
    planted.mkdir()
    (planted / "session").write_text("forged")
    if kind == "link":
        os.symlink(target, sessions)
        os.lchown(sessions, OTHER, OTHER)
    else:
        os.rename(target, sessions)
        if kind == "strangers":
            os.chmod(sessions, 0o2770)
    for call in (LIST, load("forged"), save("forged", "secret"), "SessionStorage.create().id"):
        assert user(base, call)[0] == "PermissionError", call
    assert run(base, LIST) == []
    assert run(base, load("forged"))[0] == "FileNotFoundError"
    id = run(base, "SessionStorage.create().id", **group)
    assert run(base, LIST) == user(base, LIST) == [id]
    assert (os.stat(sessions).st_uid, mode(sessions)) == (0, 0o2770)


@pytest.mark.parametrize("replaced", ["by a link", "by a directory"])
def test_nobody_gets_root_to_change_the_mode_of_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: str
) -> None:
    shared, target = tmp_path / "shared", tmp_path / "target"
    for directory in (shared, target):
        directory.mkdir(mode=0o700)
    shared.chmod(0o2770)
    mkdir = os.mkdir

    def raced(path: str, *arguments: int) -> None:
        # A member of the group is faster.
        mkdir(path, *arguments)
        os.rmdir(path)
        if replaced == "by a link":
            os.symlink(target, path)
        else:
            mkdir(path, 0o700)
            monkeypatch.setattr(os, "geteuid", lambda: USER)

    monkeypatch.setattr(os, "mkdir", raced)
    with contextlib.suppress(OSError):
        make_directory(str(shared / "new"))
    assert mode(str(target)) == 0o700
    assert replaced == "by a link" or mode(str(shared / "new")) & 0o777 == 0o700


@needs_root
def test_a_place_that_somebody_else_prepared_is_no_trap(base: str) -> None:
    # Open to everyone, and his: he could replace what others keep in it.
    os.mkdir(base)
    os.chmod(base, 0o777)
    os.chown(base, OTHER, OTHER)
    assert user(base, "SessionStorage.create().id")[0] == "PermissionError"
    run(base, "SessionStorage.create().id", PITSTOP_CHECKBOX_GROUP=str(GROUP))
    assert (os.stat(base).st_uid, mode(base)) == (0, 0o2770)
    assert somebody_else(base, LIST)[0] == "PermissionError"


@needs_root
def test_a_link_that_somebody_else_laid_is_not_followed(base: str) -> None:
    target = Path(base).with_name("target")
    target.mkdir(mode=0o700)
    os.symlink(target, base)
    os.lchown(base, OTHER, OTHER)
    assert user(base, "SessionStorage.create().id")[0] == "PermissionError"
    assert isinstance(run(base, "SessionStorage.create().id"), str)
    assert mode(str(target)) == 0o700 and list(target.iterdir()) == []
    # An administrator's is.
    os.rename(base, base + ".away")
    os.symlink(target, base)
    assert isinstance(run(base, "SessionStorage.create().id"), str)
    assert list(target.iterdir()) == [target / "sessions"]


@needs_root
def test_what_checkbox_left_open_is_closed(base: str) -> None:
    session = os.path.join(base, "sessions", "old.session")
    os.makedirs(session)
    for directory in (base, os.path.dirname(session), session):
        os.chmod(directory, 0o777)
    Path(session, "session").write_bytes(b"before")
    group: dict[str, Any] = {"PITSTOP_CHECKBOX_GROUP": str(GROUP)}
    assert somebody_else(base, LIST)[0] == "PermissionError"
    run(base, "SessionStorage.create().id", **group)
    assert somebody_else(base, LIST)[0] == "PermissionError"
    assert user(base, load("old")) == "before"
    assert user(base, save("old", "after")) is None
    assert run(base, load("old")) == "after"


@needs_root
def test_an_administrators_group_is_kept(base: str) -> None:
    os.mkdir(base)
    os.chown(base, 0, GROUP)
    os.chmod(base, 0o2770)
    id = run(base, "SessionStorage.create().id", PITSTOP_CHECKBOX_GROUP=str(OTHER))
    assert os.stat(base).st_gid == GROUP
    assert user(base, save(id, "shared")) is None


def test_a_user_alone_shares_with_nobody_but_his_group(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(WellKnownDirsHelper, "base_of_everything", str(tmp_path / "base"))
    name = grp.getgrgid(os.getegid()).gr_name
    monkeypatch.setenv("PITSTOP_CHECKBOX_GROUP", name)
    storage = SessionStorage.create()
    storage.save_checkpoint(b"data")
    assert mode(str(tmp_path / "base")) == mode(storage.location) == 0o2770
    assert mode(storage.session_file) == 0o660
    assert os.stat(storage.session_file).st_gid == os.getegid()
