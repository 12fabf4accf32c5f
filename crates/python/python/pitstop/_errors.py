"""Why an operation did not do what was asked.

A class exists only where a caller would act differently, and is a built-in one too where that fits.
Unless a class says otherwise the operation took no effect. `str()` says what happened, where and why.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._pitstop import Owner, Revision


class Error(Exception):
    """What every error of Pitstop is."""

    message: str
    """What happened, where and why."""

    def __str__(self) -> str:
        return getattr(self, "message", "") or super().__str__()


class NotFound(Error, FileNotFoundError):
    """The repository, which is `filename`, holds no session of this name, or it was removed meanwhile."""

    id: str


class NoCheckpoint(Error, FileNotFoundError):
    """The session exists, but nothing was ever saved in it. An empty checkpoint is not this."""

    id: str


class NoRevision(Error, FileNotFoundError):
    """The session does not keep this revision, or never had it."""

    id: str
    revision: Revision


class AlreadyExists(Error, FileExistsError):
    """A session of this name is there already."""

    id: str


class Busy(Error, BlockingIOError):
    """Another writer lives. It was not disturbed."""

    id: str
    owner: Owner | None
    """Who it is, where that can be read."""


class Locked(Error, BlockingIOError):
    """PlainBox's `session.next`, which is `filename`, is there, and whoever made it may be alive."""

    id: str
    age: timedelta
    """How long the file has been unchanged."""


class Conflict(Error):
    """The save named the revision that it follows, but another came between. Neither is lost."""

    id: str
    expected: Revision
    """The revision that the save was to follow."""
    found: Revision
    """The revision that stands."""


class Diverged(Error):
    """The session that something is copied to holds something else."""

    id: str
    repository: Path
    revision: Revision
    """The revision that is not the same."""


class Damaged(Error):
    """What lies there is not what was written. It was left as it is."""

    place: Path
    problem: str
    newest_good: Revision | None
    """The newest revision that can still be loaded, with `Session.load_revision`."""


class Indeterminate(Error, OSError):
    """The change is made, but may not survive a power cut. Doing it again settles it."""

    step: str


class NotDurable(Error, OSError):
    """This file system cannot flush to stable storage, so that nothing can be promised on it."""


class InvalidId(Error, ValueError):
    """A name that no session can have."""

    problem: str


class LabelsTooLong(Error, ValueError):
    """More labels, in bytes, than are kept with a checkpoint."""

    size: int
    most: int


class InvalidLocation(Error, ValueError):
    """A place that cannot be a repository."""

    location: Path
    problem: str


class Unsupported(Error, NotImplementedError):
    """This kind of repository or session cannot do that."""


class StorageError(Error, OSError):
    """The storage refused a step. `errno` says why (disk full is ENOSPC), `filename` where."""

    step: str
    """What was being done: "write", "flush", "put in place" ..."""


for _class in [
    Error, NotFound, NoCheckpoint, NoRevision, AlreadyExists, Busy, Locked, Conflict, Diverged,
    Damaged, Indeterminate, NotDurable, InvalidId, LabelsTooLong, InvalidLocation, Unsupported,
    StorageError,
]:
    _class.__module__ = "pitstop"
