"""What is damaged, what can go, what went, and how it moves."""

from datetime import timedelta
from pathlib import Path

import pytest

import pitstop
from pitstop import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "sessions")


def test_damage_is_found_and_repaired(repository: Repository) -> None:
    session = repository.create("job")
    session.save(b"good")
    good = session.verify()
    assert not good.damaged and [it.error for it in good.revisions] == [None]
    session.save(b"unlucky" * 1000)
    assert session.location is not None
    segment = session.location / "session.journal-0"
    content = bytearray(segment.read_bytes())
    content[content.index(b"unlucky")] ^= 1
    segment.write_bytes(content)

    found = session.verify()
    assert found.damaged and found.newest_good == pitstop.Revision(1)
    assert isinstance(found.revisions[0].error, pitstop.Corrupt)
    assert "damage" in [it.severity for it in found.findings]
    with pytest.raises(pitstop.Corrupt):
        session.load()
    repair = session.repair()
    assert repair.recovered is not None and repair.recovered[0] == pitstop.Revision(1)
    loaded = session.load()
    assert (loaded.data, loaded.info.revision) == (b"good", repair.recovered[1])
    assert repair.now.newest_good == repair.recovered[1]


def test_what_is_gone_is_missed(repository: Repository) -> None:
    session = repository.create("job")
    session.save(b"state")
    assert session.location is not None
    (session.location / "session.journal-0").unlink()
    with pytest.raises(pitstop.Corrupt):
        session.load()
    assert session.history().newer_may_be_lost and session.verify().damaged


def test_what_went_to_the_trash_comes_back(repository: Repository) -> None:
    repository.create("job").save(b"state")
    trashed = repository.get("job").trash()
    assert "job" not in repository and trashed.bytes > 0
    assert [it.id for it in repository.trash()] == ["job"]
    assert repository.restore_from_trash(trashed).load().data == b"state"
    again = repository.get("job").trash()
    assert repository.restore_from_trash(again, "other").id == "other"
    with pytest.raises(pitstop.NotFound):
        repository.restore_from_trash(again)
    last = repository.get("other").trash()
    assert repository.delete_from_trash(last) == []
    assert repository.trash() == []


def test_nothing_goes_without_being_asked(repository: Repository) -> None:
    for number in range(4):
        repository.create(f"job-{number}").save(b"state", labels={"kind": "x" if number else "y"})
    assert repository.prune().removed == []
    assert repository.prune(older_than=timedelta(days=1)).removed == []
    would = repository.prune(keep=1, labels={"kind": "x"}, dry_run=True)
    assert len(would.removed) == 2 and would.bytes > 0 and "job-0" not in would.removed
    assert len(repository.list().sessions) == 4
    with repository.get(would.removed[0]).writer():
        pruned = repository.prune(keep=1, labels={"kind": None}, permanently=True)
    assert pruned.skipped == [would.removed[0]] and len(pruned.removed) == 2
    assert repository.trash() == []


def test_revisions_go_and_the_newest_stays(repository: Repository) -> None:
    session = repository.create("job")
    for number in range(6):
        session.save(bytes(5000 + number))
    assert len(session.prune(keep=2, dry_run=True).removed) == 4
    assert len(session.history().revisions) == 6
    assert [it.info.revision.number for it in session.prune(keep=2).removed] == [4, 3, 2, 1]
    assert [it.info.revision.number for it in session.history().revisions] == [6, 5]
    assert len(session.load().data) == 5005


def test_a_session_goes_on_elsewhere(repository: Repository, tmp_path: Path) -> None:
    session = repository.create("job")
    session.save(b"one", labels={"step": "1"})
    session.save(b"two")
    copy = session.copy_to(Repository(tmp_path / "elsewhere"), "moved")
    assert (copy.id, copy.load().data, len(copy.history().revisions)) == ("moved", b"two", 2)
    copy.save(b"three")
    with pytest.raises(pitstop.Diverged):
        session.copy_to(copy.repository, "moved")
    with pytest.raises(pitstop.Unsupported):
        copy.convert("plain")
    copy.convert("plain", lose_history=True)
    assert copy.load().data == b"three" and copy.status().summary.format == "plain"
    listed = {it.id: it.labels for it in repository.list().sessions}
    assert listed == {"job": {}}
