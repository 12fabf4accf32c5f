"""In the place of Checkbox's storage, versions 1.10 and later.

There is one repository, at a fixed place, that root's agent and its user share: as members of a group, and with
nobody else. `pitstop.compat._shared` says how.
"""

from __future__ import annotations

import os

from pitstop.compat._repository import create, dated_ids, is_session, session_names
from pitstop.compat._shared import is_shared, make_directory, make_shared
from pitstop.compat._storage import ForgivingStorage, LockedStorageError, logger

import pitstop

__all__ = ["LockedStorageError", "SessionStorage", "WellKnownDirsHelper", "logger"]


class WellKnownDirsHelper:
    """Where everything is. Assign `base_of_everything` to have it elsewhere."""

    base_of_everything = "/var/tmp/checkbox-ng"
    _BELOW = ("sessions",)

    @classmethod
    def populate_base(cls) -> None:
        """Makes the directories that are no session's, shared with the members of a group."""
        make_shared(*cls._way())

    @classmethod
    def populate_session(cls, session_id: str) -> str:
        """Makes the directories of a session, and returns the first of them."""
        repository = pitstop.Repository(cls.session_repository(), format="plain")
        repository.get_or_create(session_id)
        for directory in cls._session_directories(session_id)[1:]:
            make_directory(directory)
        return cls.session_dir(session_id)

    @classmethod
    def _way(cls) -> list[str]:
        return [cls.base_of_everything, *cls._BELOW]

    @classmethod
    def _session_directories(cls, session_id: str) -> list[str]:
        return [
            cls.session_dir(session_id),
            cls.session_share(session_id),
            cls.io_logs(session_id),
        ]

    @classmethod
    def session_repository(cls) -> str:
        return os.path.join(*cls._way())

    @classmethod
    def is_there(cls) -> bool:
        """Whether there is a repository. One in which strangers could change what is kept is none for root, and a
        `PermissionError` for others."""
        return is_shared(*cls._way())

    @classmethod
    def session_dir(cls, session_id: str) -> str:
        return os.path.join(cls.session_repository(), f"{session_id}.session")

    @classmethod
    def io_logs(cls, session_id: str) -> str:
        return os.path.join(cls.session_dir(session_id), "io-logs")

    @classmethod
    def session_share(cls, session_id: str) -> str:
        return os.path.join(cls.session_dir(session_id), "session-share")

    @classmethod
    def manifest_file(cls) -> str:
        return os.path.join(cls.base_of_everything, "machine-manifest.json")

    @classmethod
    def get_storage_list(cls) -> list[SessionStorage]:
        """The sessions that this process may look into, those that were saved last first."""
        if not cls.is_there():
            return []
        names = session_names(cls.session_repository(), is_session)
        return [SessionStorage(name[: -len(".session")]) for name in names]


class SessionStorage(ForgivingStorage):
    """A session, by its name."""

    def __init__(self, id: str) -> None:
        self._id = id

    @property
    def id(self) -> str:
        """Its name."""
        return self._id

    @property
    def location(self) -> str:
        """Its directory."""
        return WellKnownDirsHelper.session_dir(self.id)

    def _session(self) -> pitstop.Session:
        WellKnownDirsHelper.is_there()
        # By its name, which is checked: none leads out of the repository.
        return pitstop.Repository(WellKnownDirsHelper.session_repository()).session(self.id)

    @classmethod
    def create(cls, prefix: str = "pbox-") -> SessionStorage:
        """Makes a session, called after `prefix` and the time, and the directories in it."""
        WellKnownDirsHelper.populate_base()
        location = create(WellKnownDirsHelper.session_repository(), dated_ids(prefix))
        id = os.path.basename(location)[: -len(".session")]
        WellKnownDirsHelper.populate_session(id)
        return cls(id)
