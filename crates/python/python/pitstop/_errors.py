"""Defines the exceptions of Pitstop.

A class exists only where a caller would act differently, and derives from a built-in one where that fits.
Unless a class says otherwise the operation took no effect. `str()` says what failed, where and why.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._pitstop import Revision
    from ._results import Owner


class Error(Exception):
    """Is the base of every exception of Pitstop."""

    message: str
    """What failed, where and why."""

    def __str__(self) -> str:
        return getattr(self, "message", "") or super().__str__()


class NotFound(Error, FileNotFoundError):
    """The repository, which is `filename`, holds no session of this name, or no longer."""

    id: str


class NoCheckpoint(Error, FileNotFoundError):
    """The session exists, but nothing was saved in it. An empty checkpoint counts as saved."""

    id: str


class NoRevision(Error, FileNotFoundError):
    """The session does not keep this revision."""

    id: str
    revision: Revision


class AlreadyExists(Error, FileExistsError):
    """A session of this name exists."""

    id: str


class Busy(Error, BlockingIOError):
    """Another writer is alive. It was not disturbed."""

    id: str
    owner: Owner | None
    """The writer, where its record can be read."""
    is_this_process: bool
    """Whether it is this very process."""


class Locked(Error, BlockingIOError):
    """PlainBox's `session.next`, which is `filename`, exists, and its writer may be alive."""

    id: str
    age: timedelta
    """How long the file has not changed."""


class Conflict(Error):
    """The save names the revision that it follows, but another process saved first. Neither is lost."""

    id: str
    expected: Revision
    """The revision that the save was to follow."""
    found: Revision
    """The newest revision."""


class Diverged(Error):
    """The destination of a copy holds other content."""

    id: str
    repository: Path
    revision: Revision
    """The revision that differs."""


class Corrupt(Error):
    """A file or object does not hold what was written. It was left unchanged."""

    path: Path
    problem: str
    newest_good: Revision | None
    """The highest revision that verifies, for `Session.load_revision`."""


class Indeterminate(Error, OSError):
    """The change may have been made, and may not survive a power cut. Doing it again settles it."""

    step: str


class NotDurable(Error, OSError):
    """This file system cannot flush to stable storage."""


class InvalidId(Error, ValueError):
    """No session can have this name."""

    problem: str


class LabelsTooLong(Error, ValueError):
    """The labels take more bytes than a checkpoint keeps."""

    size: int
    limit: int


class InvalidLocation(Error, ValueError):
    """The location cannot be a repository."""

    location: Path
    problem: str


class Unsupported(Error, NotImplementedError):
    """This kind of repository or session does not support the operation."""


class StorageError(Error, OSError):
    """A step failed in the storage. `errno` says why (disk full is ENOSPC), `filename` where."""

    step: str
    """The step: "write", "flush", "put in place" ..."""


for _class in list(vars().values()):
    if isinstance(_class, type) and issubclass(_class, Error):
        _class.__module__ = "pitstop"
