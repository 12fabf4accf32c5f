"""Errors say what happened, and carry what a program needs to go on."""

import errno
import os
import pickle
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import pitstop
from pitstop import Repository, Revision, Session


def test_what_is_not_there_is_a_file_that_is_not_found(repository: Repository) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        repository.get("nothing")
    assert isinstance(missing.value, pitstop.NotFound)
    assert (missing.value.errno, missing.value.id) == (errno.ENOENT, "nothing")
    assert missing.value.filename == str(repository.location)
    assert str(missing.value) == f"there is no session 'nothing' in {repository.location}"
    session = repository.create("job")
    with pytest.raises(pitstop.NoCheckpoint):
        session.load()
    session.remove()
    with pytest.raises(pitstop.NotFound):
        session.load()


def test_what_is_there_already_is_a_file_that_exists(repository: Repository) -> None:
    repository.create("job")
    with pytest.raises(FileExistsError) as there:
        repository.create("job")
    assert isinstance(there.value, pitstop.AlreadyExists) and there.value.id == "job"


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a\0b", "x" * 201])
def test_a_name_that_is_none_is_a_bad_value(repository: Repository, name: str) -> None:
    with pytest.raises(ValueError) as invalid:
        repository.create(name)
    assert isinstance(invalid.value, pitstop.InvalidId) and invalid.value.problem


def test_a_place_that_is_none_is_a_bad_value(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("", tmp_path / "file"):
        with pytest.raises(ValueError) as invalid:
            Repository(place)
        assert isinstance(invalid.value, pitstop.InvalidLocation)


def test_damage_names_the_newest_good_revision(session: Session) -> None:
    for data in (b"first", b"second"):
        session.save(data * 1000)
    assert session.location is not None
    segment = session.location / "session.journal-0"
    content = segment.read_bytes()
    at = content.rindex(b"second")
    segment.write_bytes(content[:at] + b"S" + content[at + 1 :])
    with pytest.raises(pitstop.Corrupt) as damaged:
        session.load()
    assert damaged.value.path.parent == session.location and damaged.value.problem
    assert damaged.value.newest_good == Revision(1)
    assert session.load_revision(damaged.value.newest_good).data == b"first" * 1000


def test_what_the_system_refuses_has_its_errno_and_filename(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys, pitstop\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "session = pitstop.Repository(sys.argv[1], format='plain').create('job')\n"
        "session.save(b'small')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))\n"
        "try:\n"
        "    session.save(bytes(20000))\n"
        "except OSError as error:\n"
        "    print(type(error).__name__, error.errno, error.filename, error.step, error, sep='|')\n"
        "print(session.load().data)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    name, number, place, step, text = said[0].split("|")
    assert (name, int(number), step) == ("StorageError", errno.EFBIG, "write")
    assert place.startswith(str(tmp_path / "job.session"))
    assert place in text and "File too large" in text
    assert said[1] == "b'small'"


def test_the_lock_of_a_plainbox_is_told_with_its_age(tmp_path: Path) -> None:
    session = Repository(tmp_path, format="plain").create("job")
    lock = tmp_path / "job.session" / "session.next"
    lock.write_bytes(b"half")
    with pytest.raises(pitstop.Locked) as locked:
        session.save(b"data")
    assert isinstance(locked.value, BlockingIOError)
    assert locked.value.filename == str(lock)
    assert timedelta() <= locked.value.age < timedelta(seconds=60)
    assert session.status().writer.state == "locked"
    aside = session.unlock()
    assert aside is not None and aside.read_bytes() == b"half"
    session.save(b"data")


def test_warnings_go_to_the_log(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    session.save(b"data")
    assert session.location is not None
    os.mkfifo(session.location / "pipe")
    assert session.fork("other").load().data == b"data"
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("pitstop", "WARNING")
    assert str(session.location / "pipe") in record.getMessage()


def test_errors_travel_between_processes_with_their_data(session: Session) -> None:
    session.save(b"one")
    with pytest.raises(pitstop.Conflict) as conflict:
        session.save(b"two", follows=Revision.NONE)
    with session.writer(), pytest.raises(pitstop.Busy) as busy:
        session.writer()
    for error in (conflict.value, busy.value):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error)
    assert pickle.loads(pickle.dumps(conflict.value)).found == Revision(1)
    assert pickle.loads(pickle.dumps(busy.value)).owner == busy.value.owner
