"""Checkpoints in pieces, from files and back."""

import io
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Literal

import pytest

import pitstop
from pitstop import Session

LARGE = 20 << 20


@pytest.mark.parametrize("size", [0, 5, LARGE])
def test_a_file_is_saved_and_comes_back_in_pieces(
    session: Session, tmp_path: Path, size: int
) -> None:
    data = os.urandom(1 << 20) * (size >> 20) or b"x" * size
    (tmp_path / "in").write_bytes(data)
    with open(tmp_path / "in", "rb") as source:
        info = session.save_from(source, labels={"from": "file"})
    assert (info.size, info.labels) == (size, {"from": "file"})
    with session.open_checkpoint() as reader, open(tmp_path / "out", "wb") as sink:
        assert reader.info == info
        shutil.copyfileobj(reader, sink)
    assert reader.closed
    assert (tmp_path / "out").read_bytes() == data
    with pytest.raises(ValueError):
        reader.read()
    assert session.open_checkpoint(info.revision).read() == data


@pytest.mark.parametrize("format", ["journal", "plain"])
def test_loading_takes_memory_for_the_checkpoint_alone(
    tmp_path: Path, format: 'Literal["journal", "plain"]'
) -> None:
    program = (
        "import re, sys, pitstop\n"
        "status = lambda: open('/proc/self/status').read()\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', status())[1])\n"
        "session = pitstop.Repository(sys.argv[1]).get('job')\n"
        "before = peak()\n"
        "data = session.load().data\n"
        "print((peak() - before) * 1024 / len(data))\n"
    )
    session = pitstop.Repository(tmp_path, format=format).create("job")
    session.save(os.urandom(LARGE))
    command = [sys.executable, "-c", program, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert 0.9 < float(said) < 1.5


def test_two_threads_share_what_a_reader_gives(session: Session) -> None:
    data = os.urandom(LARGE)
    session.save(data)
    with session.open_checkpoint() as reader:
        pieces: list[bytes] = []

        def read() -> None:
            while piece := reader.read(12345):
                pieces.append(piece)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(map(len, pieces)) == LARGE and sum(len(it) < 12345 for it in pieces) <= 1


def test_too_large_for_memory_is_a_memory_error(tmp_path: Path) -> None:
    session = pitstop.Repository(tmp_path, format="plain").create("job")
    session.save(b"")
    assert session.session_file is not None
    os.truncate(session.session_file, 1 << 42)
    with pytest.raises(MemoryError):
        session.load()


def test_what_the_source_raises_comes_out_and_nothing_is_saved(session: Session) -> None:
    class Torn(io.BytesIO):
        def read(self, size: "int | None" = -1) -> bytes:
            if self.tell() > 10 << 20:
                raise KeyboardInterrupt("enough")
            return super().read(size)

    class TooMuch:
        def read(self, size: int) -> bytes:
            return bytes(size + 1)

    session.save(b"before")
    with session.writer() as writer:
        with pytest.raises(KeyboardInterrupt, match="enough"):
            writer.save_from(Torn(bytes(LARGE)))
        with pytest.raises(ValueError, match="more bytes"):
            writer.save_from(TooMuch())
        with pytest.raises(TypeError):
            writer.save_from(io.StringIO("text"))  # type: ignore[arg-type]
        with pytest.raises(AttributeError):
            writer.save_from(b"no file")  # type: ignore[arg-type]
        assert session.load().data == b"before"
        writer.save(b"after")
    assert session.load().data == b"after"


def test_a_source_that_saves_by_the_same_writer_does_not_wait_for_itself(session: Session) -> None:
    with session.writer() as writer:

        class Recursive:
            def read(self, size: int) -> bytes:
                writer.save(b"inner")
                return b""

        with pytest.raises(RuntimeError):
            writer.save_from(Recursive())
        writer.save(b"outer")
    assert session.load().data == b"outer"


def test_older_revisions_are_restored_and_forked(session: Session) -> None:
    first = session.save(b"one", labels={"step": "1"})
    session.save(b"two")
    restored = session.restore(first.revision)
    assert (restored.revision.number, restored.labels) == (3, {"step": "1"})
    assert session.load().data == b"one"
    with session.writer() as writer:
        writer.restore(2)
    assert session.location is not None
    (session.location / "own").write_text("the program's")
    fork = session.fork("other", revision=1)
    assert fork.load().data == b"one" and fork.load().info.revision.number == 1
    assert fork.location is not None
    assert (fork.location / "own").read_text() == "the program's"
    assert session.fork(prefix="fork").load().data == b"two"
    with pytest.raises(pitstop.NoRevision):
        session.fork(revision=99)
    with pytest.raises(pitstop.AlreadyExists):
        session.fork("other")


def test_labels_have_a_bound(session: Session) -> None:
    with pytest.raises(pitstop.LabelsTooLong) as long:
        session.save(b"", labels={"long": "x" * 10_000_000})
    assert long.value.size > long.value.limit > 0
