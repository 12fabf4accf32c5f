"""Defines what the calls of Pitstop return: values without behaviour, which can be compared and pickled.

The extension module makes them by position, so the order of the fields matters there.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ._errors import Error
    from ._pitstop import Revision


@dataclass(frozen=True)
class CheckpointInfo:
    """Describes a checkpoint without its payload."""

    revision: Revision
    """The number of the checkpoint in its session."""
    saved: datetime
    """When it was saved (UTC), by the clock of the machine that saved it."""
    size: int
    """The size of its payload in bytes."""
    digest: str
    """The XXH3-128 of its payload. It detects accidents and does not protect against forgery."""
    labels: dict[str, str]
    """Small strings that can be read without the payload."""


@dataclass(frozen=True, repr=False)
class Checkpoint:
    """Holds a saved state."""

    info: CheckpointInfo
    """Describes the checkpoint."""
    data: bytes
    """The payload, exactly as it was saved."""

    def json(self) -> Any:
        """Parses the payload as JSON. Raises `ValueError` if it is not JSON."""
        from ._pitstop import load_json

        return load_json(self.data)

    def __repr__(self) -> str:
        return f"<Checkpoint: revision {self.info.revision}, {self.info.size} bytes>"


@dataclass(frozen=True)
class RevisionInfo:
    """Describes a revision in the history."""

    info: CheckpointInfo
    """Describes the checkpoint."""
    stored_size: int
    """How many bytes of storage the revision takes by itself."""


@dataclass(frozen=True, repr=False)
class History:
    """Lists the revisions of a session. `len`, `in` and iteration are those of `revisions`."""

    revisions: list[RevisionInfo]
    """The revisions kept, the newest first."""
    damaged: list[Revision]
    """The revisions that were saved and are lost to damage, the newest first."""
    newer_may_be_lost: bool
    """Whether damage may have destroyed revisions newer than all of these."""

    def __len__(self) -> int:
        return len(self.revisions)

    def __iter__(self) -> Iterator[RevisionInfo]:
        return iter(self.revisions)

    def __contains__(self, revision: object) -> bool:
        return any(it.info.revision == revision for it in self.revisions)

    def __repr__(self) -> str:
        ends = [str(self.revisions[at].info.revision) for at in (-1, 0)] if self.revisions else []
        damaged = f", {len(self.damaged)} damaged" if self.damaged else ""
        return f"<History: {_count(self, 'revision')}{_span(ends)}{damaged}>"


@dataclass(frozen=True)
class Owner:
    """Is the record that a writer leaves of itself."""

    host: str
    """The name of its machine."""
    boot_id: str
    """The kernel's id of the boot in which it runs."""
    pid: int
    """Its process id, as seen inside its own container."""
    start_time: int
    """When its process started, in clock ticks since the boot."""
    program: str
    """The name of its program."""
    since: datetime
    """When it became the writer (UTC)."""

    def __str__(self) -> str:
        return f"{self.program} (pid {self.pid} on {self.host})"


@dataclass(frozen=True)
class Summary:
    """Describes a session in a listing."""

    id: str
    """The name of the session."""
    saved: datetime | None
    """When its newest checkpoint was saved (UTC); None if it was never saved."""
    size: int | None
    """The size of its newest checkpoint in bytes; None if it was never saved."""
    labels: dict[str, str] | None
    """The labels of its newest checkpoint; None where the listing does not tell."""
    changed: datetime
    """When it was saved, or else created (UTC)."""
    format: str
    """The format of the session: "journal" or "plain"."""
    live: bool
    """Whether a process is writing it."""


@dataclass(frozen=True)
class Problem:
    """Names an entry of a repository that cannot be read as a session."""

    name: str
    """The name of the entry."""
    error: Error
    """Why it cannot be read."""


@dataclass(frozen=True, repr=False)
class Listing:
    """Lists the contents of a repository. `len`, `in` (by name) and iteration are those of `sessions`."""

    sessions: list[Summary]
    """The sessions, the last changed first."""
    problems: list[Problem]
    """The entries that cannot be read as sessions."""

    def __len__(self) -> int:
        return len(self.sessions)

    def __iter__(self) -> Iterator[Summary]:
        return iter(self.sessions)

    def __contains__(self, id: object) -> bool:
        return any(it.id == id for it in self.sessions)

    def __repr__(self) -> str:
        names = ", ".join([repr(it.id) for it in self.sessions[:3]] + ["..."] * (len(self) > 3))
        problems = f", {len(self.problems)} unreadable" if self.problems else ""
        return f"<Listing: {_count(self, 'session')}{names and f' ({names})'}{problems}>"


@dataclass(frozen=True)
class WriterState:
    """Says whether a session has a writer."""

    state: Literal["idle", "live", "interrupted", "locked"]
    """"idle": no writer; "live": a process is writing; "interrupted": the last writer was killed, which needs no
    repair; "locked": PlainBox's `session.next` exists."""
    owner: Owner | None
    """The writer, or the one that was killed."""
    age: timedelta | None
    """How long PlainBox's `session.next` has not changed."""
    stale: bool
    """Whether the next writer takes over, because no process can be writing `session.next`."""


@dataclass(frozen=True, repr=False)
class Status:
    """Describes a session and its writer."""

    summary: Summary
    """Describes the session and its newest checkpoint."""
    created: datetime | None
    """When the session was created (UTC), where that is known."""
    writer: WriterState
    """Says whether the session has a writer."""

    def __repr__(self) -> str:
        it = self.summary
        saved = "never saved" if it.saved is None else f"{it.size} bytes saved {it.saved:%Y-%m-%dT%H:%M:%SZ}"
        return f"<Status of {it.id!r}: {self.writer.state}, {saved}>"


@dataclass(frozen=True)
class Finding:
    """Reports something irregular in a session."""

    severity: Literal["note", "leftover", "damage"]
    """"note": harmless; "leftover": the next writer deletes it; "damage": data is lost or unreadable."""
    path: Path
    """The file or object."""
    offset: int | None
    """The position in the file, in bytes."""
    revision: Revision | None
    """The revision concerned."""
    message: str
    """What was found."""


@dataclass(frozen=True)
class RevisionCheck:
    """Says whether a revision can be loaded."""

    revision: Revision
    """The number of the checkpoint in its session."""
    info: CheckpointInfo | None
    """Describes the checkpoint, where its header can be read."""
    error: Error | None
    """Why it cannot be loaded; None if it can."""


@dataclass(frozen=True)
class VerificationReport:
    """Is the result of `Session.verify`."""

    id: str
    """The name of the session."""
    format: str
    """The format of the session: "journal" or "plain"."""
    revisions: list[RevisionCheck]
    """All revisions kept, the newest first."""
    findings: list[Finding]
    """Everything irregular."""
    damaged: bool
    """Whether there is damage."""
    newest_good: Revision | None
    """The highest revision that verifies."""


@dataclass(frozen=True)
class RepairReport:
    """Is the result of `Session.repair`."""

    moved_aside: list[Path]
    """The files moved aside, by their new names."""
    recovered: tuple[Revision, Revision] | None
    """The newest good revision, and the number under which it was saved again."""
    now: VerificationReport
    """The state of the session after the repair."""


@dataclass(frozen=True)
class TrashedSession:
    """Identifies a removed session that can be restored."""

    id: str
    """The name that the session had."""
    removed: datetime
    """When it was removed (UTC)."""
    bytes: int
    """How much storage its deletion frees."""


@dataclass(frozen=True)
class PruneReport:
    """Is the result of `Repository.prune`."""

    removed: list[str]
    """The names of the sessions removed, the newest first."""
    skipped: list[str]
    """The sessions that match and stay: live ones, and the last session."""
    problems: list[Problem]
    """The sessions that could not be read or removed."""
    bytes: int
    """The size of what was removed. Sessions in the trash still take it."""


@dataclass(frozen=True)
class PrunedRevisions:
    """Is the result of `Session.prune`."""

    removed: list[RevisionInfo]
    """The revisions discarded, the newest first."""
    bytes: int
    """How much storage was freed."""


@dataclass(frozen=True)
class Leftover:
    """Describes a file or directory that a killed process left."""

    path: Path
    """The file or directory."""
    message: str
    """What it was meant to become."""
    bytes: int
    """How much storage it takes."""


@dataclass(frozen=True)
class SweepReport:
    """Is the result of `Repository.sweep`."""

    leftovers: list[Leftover]
    """The leftovers deleted, or to delete."""
    undeleted: list[Error]
    """Why leftovers could not be deleted."""


@dataclass(frozen=True)
class ExportReport:
    """Is the result of `Session.export`."""

    revisions: int
    """The number of revisions in the archive."""
    files: int
    """The number of the program's own files in the archive."""
    damaged: list[Revision]
    """The damaged revisions, which the archive omits. The newest is never one of them."""
    skipped_files: list[tuple[Path, str]]
    """The entries of the session's directory that the archive omits, each with the reason."""


def _count(counted: History | Listing, noun: str) -> str:
    return f"{len(counted)} {noun}{'s' * (len(counted) != 1)}"


def _span(ends: builtins.list[str]) -> str:
    return f" ({' to '.join(dict.fromkeys(ends))})" if ends else ""


for _class in list(vars().values()):
    if isinstance(_class, type) and _class.__module__ == __name__:
        _class.__module__ = "pitstop"
