"""The drop-ins: what PlainBox's clients rely on holds, and what hurt them does not."""

import errno
import gzip
import logging
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

import pitstop
from pitstop.compat import checkbox_ng, plainbox, plainbox_0_6

GENERATIONS = [plainbox, plainbox_0_6, checkbox_ng]


@pytest.fixture(params=GENERATIONS, ids=lambda it: it.__name__.rsplit(".", 1)[1])
def generation(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """Each of the drop-ins, whose sessions are below tmp_path."""
    monkeypatch.setattr(checkbox_ng.WellKnownDirsHelper, "base_of_everything", str(tmp_path))
    module: ModuleType = request.param
    return module


@pytest.fixture
def storage(generation: ModuleType, tmp_path: Path) -> Any:
    return create(generation, tmp_path)


def create(generation: ModuleType, tmp_path: Path) -> Any:
    if generation is checkbox_ng:
        return generation.SessionStorage.create()
    return generation.SessionStorage.create(str(tmp_path / "sessions"), legacy_mode=False)


def sessions(generation: ModuleType, tmp_path: Path) -> Any:
    if generation is checkbox_ng:
        return generation.WellKnownDirsHelper.get_storage_list()
    return generation.SessionStorageRepository(str(tmp_path / "sessions")).get_storage_list()


def test_a_checkpoint_is_saved_listed_loaded_and_removed(
    generation: ModuleType, storage: Any, tmp_path: Path
) -> None:
    assert Path(storage.location).parent == tmp_path / "sessions"
    assert Path(storage.session_file) == Path(storage.location) / "session"
    assert re.fullmatch(r"pbox-\S+\.session", os.path.basename(storage.location))
    assert repr(storage) == f"<SessionStorage location:{storage.location!r}>"
    for data in (b"", b"one", bytes(1 << 20)):
        assert storage.save_checkpoint(data) is None
        assert storage.load_checkpoint() == data
        assert Path(storage.session_file).read_bytes() == data
    assert [it.location for it in sessions(generation, tmp_path)] == [storage.location]
    storage.remove()
    assert sessions(generation, tmp_path) == []
    assert not os.path.exists(storage.location)


def test_clients_may_mock_and_check_and_catch(generation: ModuleType) -> None:
    mocked = mock.Mock(spec=generation.SessionStorage)
    assert isinstance(mocked, generation.SessionStorage)
    mocked.save_checkpoint(b"")
    with pytest.raises(AttributeError):
        mocked.save(b"")
    strict = mock.MagicMock(spec_set=generation.SessionStorage)
    assert strict.location is not None
    assert issubclass(generation.LockedStorageError, IOError)
    assert generation.SessionStorage._SESSION_FILE_NEXT == "session.next"


def test_anything_but_bytes_is_refused_before_anything_is_done(storage: Any) -> None:
    for data in (bytearray(b"x"), memoryview(b"x"), "x", None):
        with pytest.raises(TypeError, match="data must be bytes"):
            storage.save_checkpoint(data)
    assert not os.path.exists(storage.session_file)


def test_it_logs_under_the_old_name(storage: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="plainbox.session.storage"):
        storage.save_checkpoint(b"data")
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    assert any("4 bytes" in record.getMessage() for record in caplog.records)


def test_a_session_that_was_never_saved(generation: ModuleType, storage: Any) -> None:
    if generation is plainbox:
        with pytest.raises(FileNotFoundError) as missing:
            storage.load_checkpoint()
        assert (missing.value.errno, missing.value.filename) == (errno.ENOENT, "session")
    else:
        assert storage.load_checkpoint() == b""


def test_a_session_that_is_not_there(generation: ModuleType, storage: Any) -> None:
    storage.remove()
    for call in (storage.load_checkpoint, lambda: storage.save_checkpoint(b"")):
        with pytest.raises(FileNotFoundError) as missing:
            call()
        assert missing.value.filename == storage.location
    if generation is plainbox:
        with pytest.raises(FileNotFoundError):
            storage.remove()
    else:
        storage.remove()


def test_what_a_killed_plainbox_left_is_broken_by_the_manager(storage: Any) -> None:
    storage.save_checkpoint(b"old")
    lock = Path(storage.location, "session.next")
    lock.write_bytes(b"half")
    with pytest.raises(OSError) as locked:
        storage.save_checkpoint(b"new")
    assert type(locked.value).__name__ == "LockedStorageError"
    assert locked.value.filename == str(lock) and "session.next" in str(locked.value)
    storage.break_lock()
    storage.save_checkpoint(b"new")
    assert storage.load_checkpoint() == b"new"
    assert Path(storage.location, "session.aside-1").read_bytes() == b"half"
    with pytest.raises(FileNotFoundError) as missing:
        storage.break_lock()
    assert missing.value.filename == str(lock)


def test_a_lock_that_is_a_directory_can_be_broken_too(storage: Any) -> None:
    os.mkdir(os.path.join(storage.location, "session.next"))
    with pytest.raises(OSError):
        storage.save_checkpoint(b"data")
    storage.break_lock()
    storage.save_checkpoint(b"data")


def test_a_writer_that_lives_is_not_displaced(generation: ModuleType, storage: Any) -> None:
    with pitstop.Session.in_directory(storage.location).writer() as writer:
        writer.save(b"the writer's")
        for call in (lambda: storage.save_checkpoint(b"another's"), storage.break_lock):
            with pytest.raises(generation.LockedStorageError) as locked:
                call()
            assert str(os.getpid()) in str(locked.value)
        assert storage.load_checkpoint() == b"the writer's"
        writer.save(b"goes on")
    # Its last save found a lock that is gone now: that is what breaking it was to bring about.
    storage.break_lock()
    storage.save_checkpoint(b"another's")


SAVE_FOR_EVER = """
import importlib, os, sys
generation = importlib.import_module(sys.argv[1])
storage = generation.SessionStorage(sys.argv[2])
if hasattr(generation, "WellKnownDirsHelper"):
    generation.WellKnownDirsHelper.base_of_everything = sys.argv[3]
number = 0
print("ready", flush=True)
while True:
    number += 1
    data = (b"%s %d " % (sys.argv[4].encode(), number)) * 5000
    try:
        # The session manager's way with a lock.
        try:
            storage.save_checkpoint(data)
        except generation.LockedStorageError:
            storage.break_lock()
            storage.save_checkpoint(data)
    except generation.LockedStorageError:
        pass
"""


def test_rivals_that_break_each_others_locks_tear_nothing(
    generation: ModuleType, storage: Any, tmp_path: Path
) -> None:
    name = storage.location if generation is not checkbox_ng else storage.id
    arguments = [generation.__name__, name, str(tmp_path)]
    rivals = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, *arguments, rival], stdout=subprocess.PIPE
        )
        for rival in "ab"
    ]
    try:
        for rival in rivals:
            assert rival.stdout and rival.stdout.readline() == b"ready\n"
        seen: set[bytes] = set()
        while len(seen) < 50:
            assert all(rival.poll() is None for rival in rivals)
            if os.path.exists(storage.session_file):
                data = storage.load_checkpoint()
                unit = data[: len(data) // 5000]
                assert unit and data == unit * 5000
                seen.add(unit)
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()
            assert rival.stdout
            rival.stdout.close()
    # Both were killed, in the middle of a save perhaps. Nobody has to break anything.
    storage.save_checkpoint(b"after")
    assert storage.load_checkpoint() == b"after"


def test_a_bomb_is_checked_in_pieces(generation: ModuleType, storage: Any) -> None:
    # 64 MiB of zeros in 64 kB.
    piece, packed = bytes(1 << 20), zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packed.compress(piece) for _ in range(1 << 6)) + packed.flush()
    storage.save_checkpoint(bomb)
    tracemalloc.start()
    try:
        assert storage.load_checkpoint() == bomb
        assert tracemalloc.get_traced_memory()[1] < 3 * len(bomb) + (4 << 20)
    finally:
        tracemalloc.stop()


def test_a_checkpoint_that_is_cut_short_takes_nothing_down(
    generation: ModuleType, storage: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = gzip.compress(b'{"version": 1}' * 100)
    storage.save_checkpoint(whole)
    assert storage.load_checkpoint() == whole
    for length in range(2, len(whole)):
        Path(storage.session_file).write_bytes(whole[:length])
        assert storage.load_checkpoint() == b""
    assert caplog.records[-1].levelno == logging.WARNING
    assert storage.session_file in caplog.text and "damaged" in caplog.text
    for at in range(len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 0x10
        Path(storage.session_file).write_bytes(flipped)
        data = storage.load_checkpoint()
        # Some bytes of the header mean nothing; and what is not compressed is not looked into.
        assert data == b"" or data[:2] != b"\x1f\x8b" or gzip.decompress(data)
    os.unlink(storage.session_file)
    os.mkfifo(storage.session_file)
    assert storage.load_checkpoint() == b""
    assert len(sessions(generation, tmp_path)) == 1


def test_the_error_of_the_system_comes_out_as_it_is(
    generation: ModuleType, storage: Any, tmp_path: Path
) -> None:
    storage.save_checkpoint(b"old")
    if generation is checkbox_ng:
        name = storage.id
    else:
        name = storage.location
    program = (
        "import importlib, resource, signal, sys\n"
        "generation = importlib.import_module(sys.argv[1])\n"
        "if hasattr(generation, 'WellKnownDirsHelper'):\n"
        "    generation.WellKnownDirsHelper.base_of_everything = sys.argv[3]\n"
        "storage = generation.SessionStorage(sys.argv[2])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))\n"
        "try:\n"
        "    storage.save_checkpoint(bytes(20000))\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
        "storage.save_checkpoint(b'new')\n"
    )
    command = [sys.executable, "-c", program, generation.__name__, name, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(said.stdout) == errno.EFBIG
    assert storage.load_checkpoint() == b"new"


def test_a_listing_goes_on_past_what_is_bad(generation: ModuleType, tmp_path: Path) -> None:
    made = [create(generation, tmp_path) for _ in range(3)]
    assert len({it.location for it in made}) == 3
    for age, storage in enumerate(made):
        storage.save_checkpoint(b"data")
        os.utime(storage.session_file, (time.time() - age, time.time() - age))
    base = tmp_path / "sessions"
    (base / "dangling.session").symlink_to("nowhere")
    (base / "elsewhere.session").symlink_to("/etc")
    (base / "file.session").touch()
    listed = [it.location for it in sessions(generation, tmp_path)]
    assert listed == [it.location for it in made]


def test_nothing_outside_is_followed_or_removed(tmp_path: Path) -> None:
    base, outside = tmp_path / "sessions", tmp_path / "outside.session"
    outside.mkdir()
    (outside / "precious").touch()
    base.mkdir()
    for target in (str(outside), "../outside.session", ".", "/"):
        (base / "last-session").unlink(missing_ok=True)
        (base / "last-session").symlink_to(target)
        repository = plainbox.SessionStorageRepository(str(base))
        assert repository.get_last_storage() is None
        storage = plainbox.SessionStorage.create(str(base), legacy_mode=True)
        storage.save_checkpoint(b"data")
        last = repository.get_last_storage()
        assert last is not None and last.location == storage.location
    assert (outside / "precious").exists()
    (base / "link.session").symlink_to(outside)
    with pytest.raises(OSError):
        plainbox.SessionStorage(str(base / "link.session")).remove()
    assert (outside / "precious").exists()
    with pytest.raises(ValueError):
        checkbox_ng.SessionStorage("../outside").save_checkpoint(b"data")


@pytest.mark.parametrize("generation", [plainbox, plainbox_0_6], indirect=True)
def test_the_session_before_stays_until_there_is_one_to_resume(
    generation: Any, tmp_path: Path
) -> None:
    base = str(tmp_path / "sessions")
    repository = generation.SessionStorageRepository(base)
    old = generation.SessionStorage.create(base, legacy_mode=True)
    assert os.readlink(os.path.join(base, "last-session")) == old.location
    old.save_checkpoint(b"old")
    new = generation.SessionStorage.create(base, legacy_mode=True)
    assert repository.get_last_storage().load_checkpoint() == b"old"
    new.save_checkpoint(b"new")
    assert repository.get_last_storage().load_checkpoint() == b"new"
    assert not os.path.exists(old.location)


def test_something_else_where_the_link_belongs_is_kept_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "last-session").mkdir()
    storage = plainbox.SessionStorage.create(str(tmp_path), legacy_mode=True)
    last = plainbox.SessionStorageRepository(str(tmp_path)).get_last_storage()
    assert last is not None and last.location == storage.location
    assert "last-session" in caplog.text
    assert (tmp_path / ".last-session.aside-1").is_dir()


def test_the_first_generation_takes_any_directory(tmp_path: Path) -> None:
    for name in ("session1", ".hidden", "with space.session"):
        (tmp_path / name).mkdir()
    (tmp_path / ".job.removed").mkdir()
    repository = plainbox.SessionStorageRepository(str(tmp_path))
    assert {os.path.basename(it.location) for it in repository} == {
        "session1",
        ".hidden",
        "with space.session",
    }
    for storage in repository:
        storage.save_checkpoint(b"data")
        assert storage.load_checkpoint() == b"data"
    assert [it.location for it in plainbox_0_6.SessionStorageRepository(str(tmp_path))] == [
        str(tmp_path / "with space.session")
    ]
    (tmp_path / "last-session").symlink_to("session1")
    last = repository.get_last_storage()
    assert last is not None and last.location == str(tmp_path / "session1")


def test_a_location_is_taken_as_it_was_given(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    storage = plainbox.SessionStorage.create("relative", legacy_mode=True)
    assert os.path.dirname(storage.location) == "relative"
    storage.save_checkpoint(b"data")
    last = plainbox.SessionStorageRepository("relative").get_last_storage()
    assert last is not None and last.load_checkpoint() == b"data"
    os.symlink(storage.location, "link")
    for place in ("link", "link/", f"{storage.location}/.", f"{storage.location}/io/.."):
        os.makedirs(f"{storage.location}/io", exist_ok=True)
        plainbox.SessionStorage(place).save_checkpoint(place.encode())
        assert storage.load_checkpoint() == place.encode()
    assert plainbox.SessionStorage("foo").location == "foo"
    for base, error in (("", FileNotFoundError), ("file", NotADirectoryError)):
        Path("file").touch()
        with pytest.raises(error):
            plainbox.SessionStorage.create(base)


def test_the_environment_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for generation in (plainbox, plainbox_0_6):
        default: Any = generation.SessionStorageRepository.get_default_location
        monkeypatch.delenv("PLAINBOX_SESSION_REPOSITORY", raising=False)
        monkeypatch.setenv("HOME", "/home/somebody")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        assert default() == "/home/somebody/.cache/plainbox/sessions"
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        assert default() == "relative/plainbox/sessions"
    monkeypatch.setenv("PLAINBOX_SESSION_REPOSITORY", "/srv/sessions")
    repository = plainbox_0_6.SessionStorageRepository
    assert repository.get_default_location() == repository().location == "/srv/sessions"
    assert plainbox.SessionStorageRepository().location == "relative/plainbox/sessions"
    assert plainbox_0_6.SessionStorage("/x/job.1.session").id == "job.1"


def test_names_come_from_titles_and_are_never_shared(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(checkbox_ng.WellKnownDirsHelper, "base_of_everything", str(tmp_path))
    ids = [checkbox_ng.SessionStorage.create("My title/größe-").id for _ in range(5)]
    assert len(set(ids)) == 5
    for id in ids:
        assert re.fullmatch(r"My_title_gr__e-\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d(_\(\d\))?", id)
    storage = checkbox_ng.SessionStorage(ids[0])
    helper = checkbox_ng.WellKnownDirsHelper
    assert os.path.isdir(helper.io_logs(storage.id))
    assert os.path.isdir(helper.session_share(storage.id))
    assert helper.manifest_file() == str(tmp_path / "machine-manifest.json")
    assert helper.populate_session("given") == helper.session_dir("given")
    assert os.path.isdir(helper.io_logs("given"))


def test_a_save_that_is_killed_leaves_nothing_to_break(generation: ModuleType, storage: Any, tmp_path: Path) -> None:
    name = storage.location if generation is not checkbox_ng else storage.id
    command = [sys.executable, "-c", SAVE_FOR_EVER, generation.__name__, name, str(tmp_path), "x"]
    for _ in range(5):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout and process.stdout.readline()
            before = os.stat(storage.session_file).st_ino if os.path.exists(storage.session_file) else 0
            while not os.path.exists(storage.session_file) or os.stat(storage.session_file).st_ino == before:
                pass
            process.send_signal(signal.SIGKILL)
        storage.save_checkpoint(b"next")
        assert storage.load_checkpoint() == b"next"
