"""Checkpoints in pieces, from files and back."""

import io
import os
import shutil
from pathlib import Path

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
    assert long.value.size > long.value.most > 0
