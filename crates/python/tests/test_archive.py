"""Sessions as single files, found by their labels, and what killed processes leave."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pitstop
from pitstop import Repository, Session


def archive_of(session: Session) -> bytes:
    file = io.BytesIO()
    session.export(file)
    return file.getvalue()


def test_a_session_goes_on_from_a_file(session: Session, tmp_path: Path) -> None:
    session.save(b"one", labels={"step": "1"})
    session.save(os.urandom(3 << 20))
    assert session.location is not None
    (session.location / "own").write_text("the program's")
    os.mkfifo(session.location / "pipe")
    with open(tmp_path / "job.tar", "wb", buffering=0) as file:
        exported = session.export(file)
    assert (exported.revisions, exported.files, exported.damaged) == (2, 1, [])
    ((place, reason),) = exported.skipped_files
    assert place == session.location / "pipe" and reason
    elsewhere = Repository(tmp_path / "elsewhere")
    with open(tmp_path / "job.tar", "rb") as archive:
        imported = elsewhere.import_(archive)
    assert imported in list(elsewhere)
    assert imported.id == "job" and imported.load().data == session.load().data
    assert imported.load_revision(1).info.labels == {"step": "1"}
    assert imported.location is not None
    assert (imported.location / "own").read_text() == "the program's"
    plain = elsewhere.import_(io.BytesIO(archive_of(session)), "other", format="plain")
    assert plain.status().summary.format == "plain" and plain.load().data == session.load().data
    imported.save(b"goes on")
    session.save(b"and so does this")
    with pytest.raises(pitstop.Diverged):
        elsewhere.import_(io.BytesIO(archive_of(session)))
    assert imported.load().data == b"goes on"


def test_an_archive_that_is_not_whole_is_refused(session: Session, repository: Repository) -> None:
    session.save(b"x" * 100_000)
    whole = archive_of(session)
    for part in (b"", b"no archive", whole[: len(whole) // 2]):
        with pytest.raises(pitstop.Corrupt):
            repository.import_(io.BytesIO(part), "copy")
    assert "copy" not in repository


def test_what_a_file_raises_comes_out(session: Session, repository: Repository) -> None:
    session.save(bytes(100_000))

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "full", "the tape")

    class Torn(io.BytesIO):
        def read(self, size: "int | None" = -1) -> bytes:
            raise KeyboardInterrupt("enough")

    class Greedy(io.BytesIO):
        def write(self, data: object) -> int:
            return 1 << 30

    with pytest.raises(OSError, match="the tape") as full:
        session.export(Full())
    assert type(full.value) is OSError and full.value.errno == 28
    with pytest.raises(ValueError, match="more bytes"):
        session.export(Greedy())
    with pytest.raises(TypeError):
        session.export(io.StringIO())  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt, match="enough"):
        repository.import_(Torn(), "copy")
    assert "copy" not in repository


def test_sessions_are_found_by_their_labels(repository: Repository) -> None:
    for number in range(3):
        repository.create(f"job-{number}").save(b"", labels={"step": str(number % 2)})
    repository.create("bare").save(b"")
    found = repository.list(labels={"step": "0"}).sessions
    assert {it.id for it in found} == {"job-0", "job-2"}
    assert len(repository.list(labels={"step": None}).sessions) == 3
    assert repository.list(labels={"step": None, "other": None}).sessions == []
    assert len(repository.list(details=True).sessions) == 4
    with pytest.raises(TypeError):
        repository.list(labels={"step": 0})  # type: ignore[dict-item]


def test_what_a_killed_process_left_is_swept(repository: Repository, tmp_path: Path) -> None:
    repository.create("job").save(b"stays")
    # As a removal leaves it that is killed after its first step.
    left = Path(repository.location) / ".removed.removed"
    program = (
        "import os, signal, sys, pitstop\n"
        "session = pitstop.Repository(sys.argv[1]).create('gone')\n"
        "session.save(bytes(100_000))\n"
        "os.rename(session.location, sys.argv[2])\n"
    )
    subprocess.run([sys.executable, "-c", program, str(repository.location), str(left)], check=True)
    would = repository.sweep(dry_run=True)
    assert [it.path for it in would.leftovers] == [left] and left.exists()
    assert would.leftovers[0].bytes >= 100_000 and would.leftovers[0].message
    swept = repository.sweep()
    assert [it.path for it in swept.leftovers] == [left] and swept.undeleted == []
    assert not left.exists() and repository.sweep().leftovers == []
    assert repository.get("job").load().data == b"stays"
