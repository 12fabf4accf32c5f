"""The package as a demanding user sees it: docstrings, values, locations, memory, signals."""

import copy
import ctypes
import gc
import inspect
import io
import math
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy
import pytest

import pitstop
from pitstop import Repository, Retention, Revision, Session, aio


def _public(of: type) -> "list[str]":
    inherited = {name for base in of.__mro__[1:] for name in vars(base)}
    return [name for name in vars(of) if not name.startswith("_") and name not in inherited]


@pytest.mark.parametrize("module", [pitstop, aio])
def test_everything_public_has_a_docstring(module: Any) -> None:
    classes = [value for name in module.__all__ if isinstance(value := getattr(module, name), type)]
    assert classes
    for described in classes:
        assert (described.__doc__ or "").strip(), described
        for name in _public(described):
            member = inspect.getattr_static(described, name)
            # A field of a result, or a constant, has its description in the source.
            if callable(member) or isinstance(member, (property, staticmethod, classmethod)):
                text = getattr(described, name).__doc__
                assert (text or "").strip(), f"{described.__name__}.{name}"


def test_a_docstring_is_that_of_the_stub() -> None:
    stub = Path(pitstop.__file__).with_name("_pitstop.pyi").read_text()
    for member in (Session.load, Session.writer, Repository.__doc__, Revision.number, pitstop.Writer.save):
        text = member if isinstance(member, str) else inspect.getdoc(member)
        assert text
        assert "".join(text.split()) in "".join(stub.split())


def test_the_module_is_a_program(repository: Repository) -> None:
    repository.create("job").save(b"12345")
    run = [sys.executable, "-m", "pitstop"]
    version = subprocess.run([*run, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.split() == ["pitstop", pitstop.__version__]
    listed = subprocess.run([*run, str(repository.location)], capture_output=True, text=True, check=True)
    assert listed.stdout.split("\t")[0] == "job" and listed.stdout.split("\t")[2] == "5"


def test_values_show_what_they_are(repository: Repository, session: Session) -> None:
    info = session.save(b"one")
    session.save(b"two")
    assert repr(session.status()).startswith("<Status of 'job': idle, 3 bytes saved 2")
    assert repr(repository.list()) == "<Listing: 1 session ('job')>"
    assert repr(session.history()) == "<History: 2 revisions (1 to 2)>"
    assert "revision=Revision(1)" in repr(session.history().revisions[1])
    assert repr(session.load()) == "<Checkpoint: revision 2, 3 bytes>"
    assert info.digest in repr(info)


def test_revisions_have_an_order_where_they_are_numbers(tmp_path: Path) -> None:
    assert Revision.NONE < Revision(1) < Revision(2) and max(Revision(1), Revision(10)) == Revision(10)
    assert Revision(2) >= Revision(2) and Revision(1) != Revision(2)
    plain = Repository(tmp_path, format="plain").create("job").save(b"x").revision
    assert plain == Revision(str(plain)) and plain != Revision(1)
    with pytest.raises(TypeError):
        assert plain < Revision(1)


def test_collections_behave_as_such(repository: Repository, session: Session) -> None:
    session.save(b"one")
    assert session in repository and "job" in repository and len(repository) == 1
    assert Repository(repository.location) == repository != Repository.in_memory()
    assert hash(Repository(repository.location)) == hash(repository)
    assert Repository.in_memory() != Repository.in_memory() and bool(Repository.in_memory())
    listing, history = repository.list(), session.history()
    assert "job" in listing and "other" not in listing and len(listing) == 1
    assert Revision(1) in history and Revision(2) not in history and len(history) == 1
    assert [it.id for it in listing] == ["job"] and [it.stored_size > 0 for it in history] == [True]


def test_every_object_has_weak_references(repository: Repository, session: Session) -> None:
    with session.writer() as writer:
        for it in (repository, session, writer, writer.save(b"x"), Revision(1), Retention.ALL):
            assert weakref.ref(it)() is it


def _save(session: Session, data: bytes) -> "tuple[pitstop.CheckpointInfo, pitstop.Listing]":
    info = session.save(data, labels={"a": "b"})
    return info, session.repository.list(details=True)


def test_results_return_from_other_processes(session: Session) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        info, listing = pool.submit(_save, session, b"data").result()
    assert session.load().info == info and "job" in listing
    results = [
        session.load(), info, listing, session.history(), session.status(), session.verify(),
        session.repository.sweep(), session.prune(), session.repository.prune(),
        session.export(io.BytesIO()), session.trash(), Retention.ALL, Retention.age(timedelta(1)),
    ]
    for result in results:
        assert pickle.loads(pickle.dumps(result)) == copy.copy(result) == result


def test_a_location_is_a_url_or_a_path_by_its_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PITSTOP_REPOSITORY", "memory://bucket/jobs")
    assert Repository.default_location() == "memory://bucket/jobs"
    assert Repository(Repository.default_location()).location == Repository().location == "memory://bucket/jobs"
    bad: "list[Any]" = [Path("s3://bucket/jobs"), "s3:/bucket", Path("~/jobs"), "~/jobs", "~user"]
    for location in bad:
        for use in (Repository, Session.in_directory):
            with pytest.raises(pitstop.InvalidLocation):
                use(location)
    Repository(str(tmp_path / "s3:")).create("job")
    Repository("a:b").create("job")
    assert sorted(os.listdir()) == ["a:b", "s3:"]


def test_a_large_buffer_is_saved_without_a_copy_of_all_of_it(tmp_path: Path) -> None:
    program = """if True:
        import resource, sys, numpy, pitstop
        size = 256 << 20
        array = numpy.ones(size // 8)
        session = pitstop.Repository(sys.argv[1]).create("job")
        with session.writer() as writer:
            writer.save(bytearray(9 << 20))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            assert writer.save(array).size == size
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        with session.open_checkpoint() as reader:
            assert numpy.frombuffer(reader.read(800)).tolist() == [1.0] * 100
        print(grown >> 10)
    """
    command = [sys.executable, "-c", program, str(tmp_path)]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 64, f"{grown} MiB for a payload of 256 MiB"


def test_buffers_of_every_shape_are_saved_as_their_bytes(session: Session) -> None:
    large = numpy.arange(3 << 20).reshape(-1, 1024)
    records = numpy.zeros(4, dtype=[("OP", "i4"), ("b", "f8")])
    fortran = numpy.asfortranarray(large[:16])
    for array in (large, large[:, ::2], fortran, records, numpy.zeros((2 << 20,), dtype=records.dtype)):
        session.save(array, keep=Retention.revisions(1))  # type: ignore[arg-type]
        assert session.load().data == array.tobytes()


def test_buffers_of_addresses_are_refused(session: Session) -> None:
    objects = numpy.array([object()])
    records = numpy.zeros(1, dtype=[("a", "i4"), ("b", object)])
    pointers = (ctypes.c_void_p * 2)()
    addresses: "list[Any]" = [objects, records, (ctypes.py_object * 1)(), pointers]
    for data in addresses:
        with pytest.raises(TypeError, match="argument 'data'.*addresses"):
            session.save(data)
    with pytest.raises(pitstop.NoCheckpoint):
        session.load()


def test_errors_name_the_argument(repository: Repository, session: Session) -> None:
    calls: "list[tuple[str, Callable[[], object]]]" = [
        ("data", lambda: session.save("text")),  # type: ignore[arg-type]
        ("labels", lambda: session.save(b"", labels={"a": 1})),  # type: ignore[dict-item]
        ("follows", lambda: session.save(b"", follows=1.5)),  # type: ignore[arg-type]
        ("keep", lambda: session.save(b"", keep=3)),  # type: ignore[arg-type]
        ("format", lambda: repository.create(format="tar")),  # type: ignore[arg-type]
        ("timeout", lambda: session.writer(timeout="1")),  # type: ignore[arg-type]
        ("older_than", lambda: repository.prune(older_than=3)),  # type: ignore[arg-type]
    ]
    for name, call in calls:
        with pytest.raises((TypeError, ValueError), match=f"'{name}'"):
            call()


def test_a_writer_waits_for_another(session: Session) -> None:
    with session.writer():
        start = time.monotonic()
        with pytest.raises(pitstop.Busy):
            session.writer(timeout=0.2)
        assert time.monotonic() - start >= 0.2
    holder = session.writer()
    threading.Timer(0.2, holder.close).start()
    with session.writer(timeout=math.inf) as writer:
        writer.save(b"mine")


def test_busy_says_where_it_is_this_very_process(session: Session) -> None:
    with session.writer(), pytest.raises(pitstop.Busy, match="this very process") as busy:
        session.save(b"")
    assert busy.value.is_this_process
    program = (
        "import pickle, sys\n"
        "writer = pickle.load(sys.stdin.buffer).writer()\n"
        "print(flush=True)\n"
        "sys.stdin.buffer.read()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe) as holder:
        assert holder.stdin and holder.stdout
        holder.stdin.write(pickle.dumps(session))
        holder.stdin.flush()
        holder.stdout.readline()
        with pytest.raises(pitstop.Busy) as other:
            session.save(b"")
        assert not other.value.is_this_process and "this very process" not in str(other.value)
        holder.kill()


def test_a_forgotten_writer_is_told(session: Session) -> None:
    with pytest.warns(ResourceWarning, match="unclosed writer of .*job"):
        session.writer()
        gc.collect()
    with session.writer() as writer:
        writer.save(b"")


def test_a_reader_is_a_file(session: Session) -> None:
    array = numpy.arange(1000)
    file = io.BytesIO()
    numpy.save(file, array)
    session.save(file.getvalue())
    with session.open_checkpoint() as reader:
        assert isinstance(reader, io.RawIOBase) and reader.seekable() and reader.readable()
        assert numpy.array_equal(numpy.load(reader), array)
        assert reader.seek(-8, io.SEEK_END) and reader.read() == file.getvalue()[-8:]
        assert reader.seek(0) == 0 and reader.readall() == file.getvalue() and reader.read() == b""
        with pytest.raises(ValueError, match="offset"):
            reader.seek(-1)
    with pytest.raises(ValueError, match="closed"):
        reader.read()
    session.save(pickle.dumps({"a": list(range(10000))}))
    with session.open_checkpoint() as reader, io.BufferedReader(reader, 256) as buffered:
        assert pickle.load(buffered) == {"a": list(range(10000))}


def test_a_signal_ends_the_wait_for_a_store_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    with socket.create_server(("127.0.0.1", 0)) as store:
        # It takes the connection, and says nothing.
        monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{store.getsockname()[1]}")
        for name, value in {"ALLOW_HTTP": "true", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        session = Repository("s3://bucket").session("job")
        previous = signal.signal(signal.SIGALRM, stop)
        try:
            for call in (session.load, lambda: session.save(b"data")):
                signal.setitimer(signal.ITIMER_REAL, 0.3)
                start = time.monotonic()
                with pytest.raises(Stop) as stopped:
                    call()
                assert time.monotonic() - start < 5
                assert isinstance(stopped.value.__cause__, pitstop.Error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
