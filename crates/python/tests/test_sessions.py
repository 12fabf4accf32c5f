"""Repositories, sessions and their writers, as a program uses them."""

import json
import os
import pickle
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import pitstop
from pitstop import Repository, Retention, Revision, Session


def test_a_program_goes_on_where_it_left_off(tmp_path: Path) -> None:
    for expected in ({"done": 0}, {"done": 3}, {"done": 6}):
        session = Repository(tmp_path / "a" / "b").get_or_create("nightly-import")
        state = session.load_json(default={"done": 0})
        assert state == expected
        with session.writer() as writer:
            for _ in range(3):
                state["done"] += 1
                writer.save_json(state)
    assert session.load().json() == {"done": 9}


@pytest.mark.parametrize(
    "data", [b"", b"x", bytearray(b"abc"), memoryview(b"abcdef")[::2], bytes(range(256)) * 4096]
)
def test_what_was_saved_comes_back_from_anything_that_has_bytes(
    session: Session, data: "bytes | bytearray | memoryview"
) -> None:
    info = session.save(data)
    checkpoint = session.load()
    assert checkpoint.data == bytes(data)
    assert checkpoint.info == info
    assert info.size == len(bytes(data))
    assert info.digest.startswith("xxh3:")
    assert abs(datetime.now(timezone.utc) - info.saved) < timedelta(hours=1)


def test_what_has_no_bytes_is_refused_before_anything_is_done(session: Session) -> None:
    for data in ("text", 7, None, [1, 2]):
        with pytest.raises(TypeError):
            session.save(data)  # type: ignore[arg-type]
    for labels in ({"a": 1}, {1: "a"}, [("a", "b")]):
        with pytest.raises(TypeError):
            session.save(b"", labels=labels)  # type: ignore[arg-type]
    for state in ({1, 2}, float("nan")):
        with pytest.raises((TypeError, ValueError)):
            session.save_json(state)
    with pytest.raises(pitstop.NoCheckpoint):
        session.load()


def test_text_of_every_kind_survives_as_json(session: Session) -> None:
    state: Any = {"text": "größe \ud800 \U0001f600", "nested": [1, 2.5, None, True, {"a": []}]}
    session.save_json(state)
    assert session.load_json() == state
    assert json.loads(session.load().data) == state
    session.save(b"{half")
    with pytest.raises(ValueError):
        session.load_json()


def test_revisions_labels_and_conditions(session: Session) -> None:
    labels = MappingProxyType({"step": "1"})
    first = session.save(b"one", labels=labels, follows=Revision.NONE)
    assert (first.revision, first.labels) == (Revision(1), {"step": "1"})
    session.save(b"two", follows=1)
    with pytest.raises(pitstop.Conflict) as conflict:
        session.save(b"2", follows=first.revision)
    assert (conflict.value.expected, conflict.value.found) == (Revision(1), Revision(2))
    history = session.history()
    assert [kept.info.revision.number for kept in history.revisions] == [2, 1]
    assert all(kept.stored_size > 0 for kept in history.revisions)
    assert history.damaged == [] and not history.newer_may_be_lost
    assert session.load_revision(1).data == session.load_revision("1").data == b"one"
    with pytest.raises(pitstop.NoRevision) as missing:
        session.load_revision(Revision(9))
    assert missing.value.revision == Revision(9)


def test_retention_says_what_may_go(session: Session) -> None:
    with session.writer() as writer:
        for number in range(200):
            writer.save(os.urandom(4096), keep=Retention.revisions(3))
    few = len(session.history().revisions)
    with session.writer() as writer:
        for number in range(200):
            writer.save(os.urandom(4096), keep=Retention.ALL)
    assert 3 <= few < 100
    assert len(session.history().revisions) >= 200
    assert Retention.age(timedelta(days=1)) != Retention.bytes(86400)


def test_a_plain_session_says_what_it_does_not_keep(tmp_path: Path) -> None:
    session = Repository(tmp_path, format="plain").create("job")
    info = session.save(b"bytes")
    assert (tmp_path / "job.session" / "session").read_bytes() == b"bytes"
    assert session.session_file == tmp_path / "job.session" / "session"
    assert info.revision.number is None
    assert Revision(str(info.revision)) == info.revision
    for refused in (session.history, lambda: session.save(b"", labels={"a": "b"})):
        with pytest.raises(pitstop.Unsupported):
            refused()


def test_a_repository_lists_holds_and_iterates(repository: Repository) -> None:
    assert list(repository) == [] and repository.last() is None
    made = {name: repository.create(name) for name in ("a", "b")}
    made["a"].save(b"12345")
    made["a"].make_last()
    assert set(repository) == set(made.values())
    assert {it.id: it.size for it in repository.list().sessions} == {"a": 5, "b": None}
    assert "a" in repository and "c" not in repository and "../a" not in repository
    assert repository.last() == made["a"]
    assert made["a"].remove() == []
    assert [session.id for session in repository] == ["b"]
    assert repository.create(prefix="My title").id.startswith("My-title-")


def test_one_bad_session_hides_nothing(repository: Repository, session: Session) -> None:
    session.save(b"good")
    assert session.location is not None
    (session.location.parent / "bad.session").mkdir()
    (session.location.parent / "bad.session" / "session").mkdir()
    assert [it.id for it in repository] == ["job"]
    (problem,) = repository.list().problems
    assert problem.name == "bad.session"
    assert isinstance(problem.error, pitstop.Corrupt)


def test_replacing_the_last_session_keeps_one_to_resume(repository: Repository) -> None:
    old = repository.create("old")
    old.save(b"old")
    old.make_last()
    new = repository.create("new", replace_last=True)
    assert repository.last() == old
    new.save(b"new")
    assert repository.last() == new
    assert list(repository) == [new]


def test_names_are_pickled_to_other_processes(repository: Repository, session: Session) -> None:
    info = session.save(b"one")
    session.save(b"two")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again, revision = pickle.loads(pickle.dumps((session, info.revision), protocol))
        assert again == session and hash(again) == hash(session)
        assert again.load_revision(revision).data == b"one"
    plain = Repository(repository.location, format="plain")
    assert pickle.loads(pickle.dumps(plain)).create("x").status().summary.format == "plain"
    (Path(repository.location) / "any name").mkdir()
    odd = Session.in_directory(Path(repository.location) / "any name")
    assert pickle.loads(pickle.dumps(odd)) == odd
    assert odd.save(b"x").size == 1 and odd.id not in repository
    with pytest.raises(TypeError):
        pickle.dumps(Repository.in_memory())


def test_a_repository_may_be_in_an_object_store() -> None:
    repository = Repository("memory://bucket/sessions")
    assert repository.location == "memory://bucket/sessions"
    session = repository.create("job")
    info = session.save(b"data", labels={"step": "1"})
    assert session.load().data == b"data" and session.load().info == info
    assert session.location is None
    with pytest.raises(pitstop.InvalidLocation):
        Repository("ftp://bucket")


def test_a_repository_in_memory_is_one_too() -> None:
    session = Repository.in_memory().create("job")
    session.save(b"data")
    assert session.load().data == b"data"
    assert session.location is None


def test_a_second_writer_is_told_who_the_first_is(session: Session) -> None:
    with session.writer() as writer:
        assert writer.session == session and not writer.closed
        with pytest.raises(pitstop.Busy) as busy:
            session.writer()
        assert busy.value.owner is not None
        assert busy.value.owner.pid == os.getpid()
        assert session.status().writer.state == "live"
        assert session.status().writer.owner == busy.value.owner
        assert session.status().summary.live
        with pytest.raises(BlockingIOError):
            session.remove()
    assert writer.closed
    assert session.status().writer.state == "idle"
    with pytest.raises(ValueError, match="closed"):
        writer.save(b"")
    writer.close()


def test_a_killed_writer_leaves_nothing_in_the_way(session: Session) -> None:
    program = (
        "import os, pickle, signal, sys\n"
        "writer = pickle.load(sys.stdin.buffer).writer()\n"
        "writer.save(b'last words')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], input=pickle.dumps(session))
    status = session.status()
    assert status.writer.state == "interrupted"
    assert status.writer.owner is not None and status.writer.owner.program.startswith("python")
    with session.writer() as writer:
        assert session.load().data == b"last words"
        writer.save(b"on it goes")


def test_threads_share_a_writer(session: Session) -> None:
    with session.writer() as writer:

        def work(name: str) -> None:
            for number in range(50):
                writer.save(f"{name}{number}".encode(), keep=Retention.ALL)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    kept = [session.load_revision(kept.info.revision).data for kept in session.history().revisions]
    kept.reverse()
    assert len(kept) == 200
    for name in "abcd":
        own = [data.decode() for data in kept if data.startswith(name.encode())]
        assert own == [f"{name}{number}" for number in range(50)]


def test_a_forked_child_has_no_part_in_the_writer(session: Session) -> None:
    with session.writer() as writer:
        writer.save(b"parent")
        child = os.fork()
        if child == 0:
            try:
                with writer:
                    writer.save(b"child")
            except RuntimeError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        writer.save(b"parent again")
    assert session.load().data == b"parent again"


FORK_AND_END = """
import os, sys
import pitstop

session = pitstop.Repository(sys.argv[1]).get("job")
with session.writer() as writer:
    writer.save(b"one")
    if not os.fork():
        if sys.argv[2] == "exit":
            sys.exit(0)
        if sys.argv[2] == "raise":
            raise ValueError("a worker that fails")
        writer = None  # As a pool of workers does with what is global.
        os._exit(0)
    os.wait()
    writer.save(b"two")
    writer.save(b"three")
"""


@pytest.mark.parametrize("end", ["exit", "raise", "rebind"])
def test_the_end_of_a_forked_child_takes_nothing_back(session: Session, end: str) -> None:
    assert session.location is not None
    place = str(session.location.parent)
    command = [sys.executable, "-c", FORK_AND_END, place, end]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    newest = session.load()
    assert (newest.data, newest.info.revision.number) == (b"three", 3)
    assert session.save(b"four").revision.number == 4
