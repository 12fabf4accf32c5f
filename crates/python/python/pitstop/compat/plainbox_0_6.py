"""In the place of PlainBox's storage, versions 0.6 to 0.38, and of Checkbox's before 1.10."""

from __future__ import annotations

import os

from pitstop.compat._repository import Repository, create, dated_ids
from pitstop.compat._storage import ForgivingStorage, LockedStorageError, logger

__all__ = ["LockedStorageError", "SessionStorage", "SessionStorageRepository", "logger"]


class SessionStorage(ForgivingStorage):
    """A session in a directory."""

    def __init__(self, location: str) -> None:
        self._location = location

    @property
    def location(self) -> str:
        """The directory, as it was given."""
        return self._location

    @property
    def id(self) -> str:
        """The name of the directory, without what comes after its last dot."""
        return os.path.splitext(os.path.basename(self.location))[0]

    @classmethod
    def create(
        cls, base_dir: str, legacy_mode: bool = False, prefix: str = "pbox-"
    ) -> SessionStorage:
        """Makes a session in a new directory of `base_dir`, which is made too where there is none. It is
        called after `prefix` and the time.

        In legacy mode there is one session, the last: the one before it is removed when this one has a
        checkpoint, and until then it is the last one.
        """
        return cls(create(base_dir, dated_ids(prefix), legacy_mode))


class SessionStorageRepository(Repository[SessionStorage]):
    """A directory that holds sessions: those in it that are called `*.session` and are not hidden."""

    def _storage(self, location: str) -> SessionStorage:
        return SessionStorage(location)

    @classmethod
    def get_default_location(cls) -> str:
        """`$PLAINBOX_SESSION_REPOSITORY`, else that of earlier versions. If it cannot be used, that is an error of
        whoever uses it; no other place is made up."""
        location = os.environ.get("PLAINBOX_SESSION_REPOSITORY")
        return os.path.abspath(location) if location else super().get_default_location()
