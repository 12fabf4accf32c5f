"""In the place of PlainBox's storage, versions 0.1 to 0.5."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator

from pitstop.compat._install import version_of
from pitstop.compat._repository import Repository, create
from pitstop.compat._storage import LockedStorageError, Storage, logger

__all__ = ["LockedStorageError", "SessionStorage", "SessionStorageRepository", "logger"]

# Version 0.5 changed what happens if nothing is said.
_LEGACY_MODE = (version_of("plainbox") or (0, 4)) < (0, 5)


class SessionStorage(Storage):
    """A session in a directory of any name."""

    def __init__(self, location: str) -> None:
        self._location = location

    @property
    def location(self) -> str:
        """The directory, as it was given."""
        return self._location

    @classmethod
    def create(cls, base_dir: str, legacy_mode: bool = _LEGACY_MODE) -> SessionStorage:
        """Makes a session in a new directory of `base_dir`, which is made too where there is none.

        In legacy mode there is one session, the last: the one before it is removed when this one has a
        checkpoint, and until then it is the last one.
        """
        return cls(create(base_dir, _random_ids(), legacy_mode))


class SessionStorageRepository(Repository[SessionStorage]):
    """A directory that holds sessions; any directory in it is one."""

    def _storage(self, location: str) -> SessionStorage:
        return SessionStorage(location)

    @staticmethod
    def _is_session(name: str) -> bool:
        # What a process of Pitstop that was killed was about to make or to delete is none.
        return not (name.startswith(".") and (name.endswith(".removed") or ".new-" in name))


def _random_ids() -> Iterator[str]:
    letters = string.ascii_lowercase + string.digits + "_"
    while True:
        yield "pbox-" + "".join(random.SystemRandom().choices(letters, k=8))
