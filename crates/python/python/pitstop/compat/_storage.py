"""What the drop-ins have in common: PlainBox's calls on a session, each done by Pitstop."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pitstop

# The name under which PlainBox's users look for it.
logger = logging.getLogger("plainbox.session.storage")


class LockedStorageError(IOError):
    """Another save is going on, or one of PlainBox's was interrupted. `str()` says which, and `filename` where.

    After `break_lock()` it can be tried again. A writer that lives is not displaced: then `break_lock()` raises
    this error too.
    """


class Storage:
    """A session in a directory, whose checkpoint is the file `session` in it."""

    _SESSION_FILE = "session"
    _SESSION_FILE_NEXT = "session.next"

    # Whether the last save found a lock.
    _was_locked = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} location:{self.location!r}>"

    @property
    def location(self) -> str:
        """The directory of the session, in which the program may keep files of its own."""
        raise NotImplementedError

    @property
    def session_file(self) -> str:
        """The file that holds the checkpoint, whether or not there is one."""
        return os.path.join(self.location, self._SESSION_FILE)

    def _session(self) -> pitstop.Session:
        location = os.fsdecode(self.location).rstrip("/")
        if os.path.islink(location) or os.path.basename(location) in ("", ".", ".."):
            location = os.path.realpath(self.location)
        return pitstop.Session.in_directory(location)

    def save_checkpoint(self, data: bytes) -> None:
        """Makes `data` the checkpoint; it is on stable storage when this returns, with every directory entry
        on the way to it. After any error the checkpoint before stands.

        Raises `TypeError` for anything but bytes, `LockedStorageError`, and `OSError` with the reason.
        """
        if not isinstance(data, bytes):
            raise TypeError("data must be bytes")
        logger.debug("Saving %d bytes in %r", len(data), self.location)
        self._was_locked = True
        with _plainbox_errors(self):
            self._session().save(data)
        self._was_locked = False

    def load_checkpoint(self) -> bytes:
        """The newest checkpoint.

        One that is damaged beyond use is reported as a warning and given as no bytes. PlainBox takes these
        for a session that was not saved, and goes on with the others; what it can make of the damage is to fail.
        """
        logger.debug("Loading the checkpoint in %r", self.location)
        try:
            with _plainbox_errors(self):
                data = self._session().load().data
        except pitstop.Corrupt as damage:
            logger.warning("%s", damage)
            return b""
        if problem := _problem_of(data):
            logger.warning("The checkpoint %r is damaged: %s", self.session_file, problem)
            return b""
        return data

    def break_lock(self) -> None:
        """Moves aside what a save of PlainBox that was interrupted left, so that the next save goes on.

        Raises `LockedStorageError` if whoever is saving lives, and `FileNotFoundError` if there was no lock.
        """
        lock = os.path.join(self.location, self._SESSION_FILE_NEXT)
        logger.debug("Breaking the lock %r", lock)
        is_there = os.path.lexists(lock)
        with _plainbox_errors(self):
            aside = self._session().unlock()
        if aside is not None:
            logger.warning("Moved %r aside to %r", lock, str(aside))
        elif not is_there and not self._was_locked:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), lock)
        self._was_locked = False

    def remove(self) -> None:
        """Removes the session, with everything in its directory, unless somebody is saving in it."""
        logger.debug("Removing %r", self.location)
        if os.path.islink(self.location):
            raise OSError(f"{self.location!r} is a link, not a session")
        with _plainbox_errors(self):
            for error in self._session().remove():
                logger.warning("Cannot remove %s: %s", getattr(error, "filename", None), error)


class ForgivingStorage(Storage):
    """As it is since PlainBox 0.6: what is not there, or cannot be removed, stops nobody."""

    def load_checkpoint(self) -> bytes:
        """The newest checkpoint; no bytes if there is none."""
        try:
            return super().load_checkpoint()
        except FileNotFoundError:
            if not os.path.isdir(self.location):
                raise
            return b""

    def remove(self) -> None:
        """Removes the session. What cannot be removed is reported as a warning."""
        try:
            super().remove()
        except OSError as error:
            logger.warning("Cannot remove %s: %s", self.location, error)


@contextmanager
def _plainbox_errors(storage: Storage) -> Iterator[None]:
    """Raises Pitstop's errors as those that PlainBox's clients know."""
    try:
        yield
    except (pitstop.Busy, pitstop.Locked) as error:
        place = error.filename or storage.location
        raise LockedStorageError(error.errno, str(error), place) from error
    except pitstop.NoCheckpoint as error:
        raise _os_error(errno.ENOENT, storage._SESSION_FILE) from error
    except pitstop.NotFound as error:
        raise _os_error(errno.ENOENT, storage.location) from error
    except pitstop.StorageError as error:
        if error.errno is None:
            raise
        # By its number it is a PermissionError and the like.
        raise _os_error(error.errno, error.filename) from error
    except pitstop.InvalidLocation as error:
        raise _os_error(errno.ENOTDIR, str(error.location)) from error


def _os_error(number: int, place: str) -> OSError:
    return OSError(number, os.strerror(number), place)


def _problem_of(data: bytes) -> Exception | None:
    """What is wrong with a checkpoint that is compressed, as PlainBox's are. PlainBox itself stops at some of
    these, and then shows no session at all."""
    if data[:2] != b"\x1f\x8b":
        return None
    try:
        gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as problem:
        return problem
    return None
