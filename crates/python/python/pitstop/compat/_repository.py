"""Repositories, as they were until Checkbox 1.10: directories that hold sessions, and how these are made."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

import pitstop

from pitstop.compat._storage import Storage, logger

if TYPE_CHECKING:
    from os import PathLike

S = TypeVar("S", bound=Storage)


class Repository(Generic[S]):
    """A directory that holds sessions. It is made with the first of them."""

    _LAST_SESSION_SYMLINK = "last-session"

    def __init__(self, location: str | None = None) -> None:
        self._location: str = self.get_default_location() if location is None else location

    @property
    def location(self) -> str:
        """The directory, as it was given."""
        return self._location

    @classmethod
    def get_default_location(cls) -> str:
        """`$XDG_CACHE_HOME/plainbox/sessions`, else `~/.cache/plainbox/sessions`."""
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        return os.path.join(cache, "plainbox", "sessions")

    def _storage(self, location: str) -> S:
        raise NotImplementedError

    @staticmethod
    def _is_session(name: str) -> bool:
        return is_session(name)

    def get_storage_list(self) -> list[S]:
        """The sessions, those that were saved last first. What goes meanwhile, or is no session, hides none
        of the others."""
        names = session_names(self.location, self._is_session)
        return [self._storage(os.path.join(self.location, name)) for name in names]

    def __iter__(self) -> Iterator[S]:
        return iter(self.get_storage_list())

    def get_last_storage(self) -> S | None:
        """The session of this repository that `last-session` names."""
        try:
            link = os.readlink(os.path.join(self.location, self._LAST_SESSION_SYMLINK))
        except OSError:
            return None
        # What else the link says is where the repository was when it was made, or leads out of it.
        name = os.path.basename(link.rstrip("/"))
        location = os.path.join(self.location, name)
        if name in ("", ".", "..") or os.path.islink(location) or not os.path.isdir(location):
            return None
        return self._storage(location)


def is_session(name: str) -> bool:
    """Whether a directory of this name is a session, since PlainBox 0.6."""
    return name.endswith(".session") and not name.startswith(".")


def session_names(repository: str, is_session: Callable[[str], bool]) -> list[str]:
    """The directories in a repository that are sessions and that this process may look into, saved last
    first; none if there is no repository."""
    logger.debug("Looking for sessions in %r", repository)
    found = []
    try:
        entries = os.scandir(repository)
    except FileNotFoundError:
        return []
    with entries:
        for entry in entries:
            try:
                if not is_session(entry.name) or not entry.is_dir(follow_symlinks=False):
                    continue
                if os.access(entry.path, os.R_OK | os.X_OK):
                    found.append((-_changed(entry.path), entry.name))
            except FileNotFoundError:
                # It was removed just now.
                continue
    return [name for _, name in sorted(found)]


def _changed(location: str) -> float:
    try:
        return os.lstat(os.path.join(location, Storage._SESSION_FILE)).st_mtime
    except FileNotFoundError:
        return os.lstat(location).st_mtime


def create(base: str | PathLike[str], ids: Iterator[str], legacy_mode: bool = False) -> str:
    """Makes a session of the first name that is free, and returns its directory.

    In legacy mode it becomes the last session, with its first checkpoint if there is another one, which is
    removed then and not before.
    """
    base = os.fspath(base)
    if not base:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), base)
    try:
        repository = pitstop.Repository(base, format="plain")
        session = _create(repository, ids, legacy_mode)
    except pitstop.InvalidLocation as error:
        raise NotADirectoryError(errno.ENOTDIR, str(error), base) from error
    except pitstop.StorageError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), error.filename) from error
    location = os.path.join(base, f"{session.id}.session")
    logger.debug("Made %r", location)
    return location


def _create(repository: pitstop.Repository, ids: Iterator[str], legacy: bool) -> pitstop.Session:
    for id in ids:
        try:
            return repository.create(id, replace_last=legacy)
        except pitstop.AlreadyExists:
            continue
        except pitstop.Corrupt as damage:
            # Something else lies where the link belongs. It is kept, under another name.
            logger.warning("%s", damage)
            session = repository.create(id)
            session.make_last()
            return session
    raise FileExistsError(errno.EEXIST, "every name is taken", str(repository.location))


def dated_ids(prefix: str) -> Iterator[str]:
    """Names made of a title and the time, as they are since 2016."""
    safe = "".join(it if it.isascii() and (it.isalnum() or it in "-_.") else "_" for it in prefix)
    if safe[:1] in ("-", "."):
        # A name is safe on a command line, and not hidden.
        safe = "_" + safe[1:]
    name = safe[:120] + datetime.now(timezone.utc).strftime("%Y-%m-%dT%H.%M.%S")
    yield name
    for number in count(1):
        yield f"{name}_({number})"
