import builtins
from collections.abc import Iterator, Mapping
from datetime import timedelta
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, final, type_check_only

from typing_extensions import Buffer, Self

from ._errors import Error
from ._reader import CheckpointReader
from ._results import (
    Checkpoint,
    CheckpointInfo,
    ExportReport,
    History,
    Listing,
    PrunedRevisions,
    PruneReport,
    RepairReport,
    Status,
    SweepReport,
    TrashedSession,
    VerificationReport,
)

__all__ = [
    "__version__",
    "dump_json",
    "load_json",
    "Repository",
    "Retention",
    "Revision",
    "RevisionReader",
    "Session",
    "Writer",
]

__version__: str

def dump_json(state: Any, /) -> bytes:
    """Converts a state to JSON, as `save_json` does: compact, in UTF-8."""

def load_json(data: bytes, /) -> Any:
    """Parses JSON, as `load_json` of a session does."""

_Format = Literal["journal", "plain"]
_Revision = Revision | int | str

@type_check_only
class _Readable(Protocol):
    def read(self, size: int, /) -> Buffer: ...

@type_check_only
class _Writable(Protocol):
    def write(self, data: bytes, /) -> int | None: ...

@final
class Repository:
    """Holds sessions: a directory, or a prefix of an object store.

    Two are equal if they have the same location. `in` takes a session or a name; `len` counts the sessions.
    """

    def __new__(
        cls, location: str | PathLike[str] | None = None, *, format: _Format | None = None
    ) -> Self:
        """Opens the repository at `location`, or at `default_location()`.

        A `str` is a URL (`s3://bucket/prefix`, `gs://...`, `az://...`) or a path; any other type is a path. The
        directory is created with the first session. New sessions are journals unless `format` says "plain";
        existing sessions keep their format.

        Raises `InvalidLocation` if the path is not a directory, holds a URL, or begins with `~`.
        """

    @staticmethod
    def plainbox() -> Repository:
        """Opens PlainBox's repository, in `plainbox_location()`. New sessions are plain."""

    @staticmethod
    def in_memory() -> Repository:
        """Creates a repository in the memory of this process, for tests. Nothing in it is durable."""

    @staticmethod
    def default_location() -> Path | str:
        """Returns `$PITSTOP_REPOSITORY` (a URL as `str`), else `$XDG_STATE_HOME/pitstop/sessions`, else
        `~/.local/state/pitstop/sessions`. Each call reads the environment."""

    @staticmethod
    def plainbox_location() -> Path | str:
        """Returns `$XDG_CACHE_HOME/plainbox/sessions`, else `~/.cache/plainbox/sessions`."""

    @property
    def location(self) -> Path | str:
        """The absolute path or, in an object store, the URL (a `str`)."""

    def create(
        self,
        id: str | None = None,
        *,
        prefix: str = "",
        format: _Format | None = None,
        replace_last: bool = False,
    ) -> Session:
        """Creates a session, and the repository where none exists. Durable when it returns.

        Without `id` the name is generated and begins with `prefix`. With `replace_last` the session becomes
        the last session with its first checkpoint; only then the previous one is removed, unless it is in use.

        Raises `AlreadyExists` if there is a session of this `id`. After any error there is no new session.
        """

    def get(self, id: str) -> Session:
        """Returns the session of this name. Raises `NotFound` if there is none."""

    def get_or_create(self, id: str) -> Session:
        """Returns the session of this name, created if it is missing. Any number of processes may do so at once."""

    def session(self, id: str) -> Session:
        """Returns the session of this name without a check that it exists: its next call checks."""

    def list(
        self, *, labels: Mapping[str, str | None] | None = None, details: bool = False
    ) -> Listing:
        """Lists the sessions, the last changed first, and the entries that cannot be read as sessions. With
        `labels`, only sessions whose newest checkpoint has these (None: any value).

        An object store tells `size` and `labels` only with `details` or `labels`, which takes one request for
        each session that changed since the last listing.
        """

    def sweep(self, *, dry_run: bool = False) -> SweepReport:
        """Deletes leftovers of killed processes. Sessions, checkpoints, files moved aside and files of live
        processes stay."""

    def import_(
        self, source: _Readable, id: str | None = None, *, format: _Format | None = None
    ) -> Session:
        """Creates a session from an archive made by `Session.export`, or adds the archive's newer revisions to
        an existing copy. Durable when it returns, with every digest verified.

        Raises `Corrupt` if the archive is incomplete, `Diverged` if the session exists with other content, and
        what `source.read` raises. After any error a session created by this call is removed.
        """

    def last(self) -> Session | None:
        """Returns the last session, the one to resume, if it exists.

        Raises `Corrupt` if the link that names it is something else.
        """

    def trash(self) -> builtins.list[TrashedSession]:
        """Lists the removed sessions that can be restored, the last removed first."""

    def restore_from_trash(self, trashed: TrashedSession, id: str | None = None) -> Session:
        """Restores a removed session under its name or `id`. Durable when it returns.

        Raises `AlreadyExists` if there is a session of that name, and `NotFound` if the trash does not have it.
        """

    def delete_from_trash(self, trashed: TrashedSession) -> builtins.list[Error]:
        """Deletes a removed session permanently, and returns an error for each file that remains."""

    def prune(
        self,
        *,
        keep: int | None = None,
        older_than: timedelta | None = None,
        larger_than: int | None = None,
        total: int | None = None,
        labels: Mapping[str, str | None] | None = None,
        permanently: bool = False,
        dry_run: bool = False,
    ) -> PruneReport:
        """Removes sessions to the trash, or `permanently`, if any one criterion matches: all but the newest
        `keep`; those last saved `older_than` ago; those larger than `larger_than` bytes; the oldest, until the
        rest take at most `total` bytes. With `labels`, only sessions with these (None: any value).

        Without a criterion nothing is removed. Live sessions and the last session always stay.
        """

    def __iter__(self) -> Iterator[Session]:
        """Iterates over the readable sessions, the last changed first; `list()` names the unreadable entries."""

    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def __contains__(self, session: str | Session, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs_ex__(self) -> tuple[tuple[Path | str], dict[str, Any]]: ...

@final
class Session:
    """Names a state in a repository: its checkpoints and, locally, a directory for the program's files.

    It is a name, not an open file: it can be kept, pickled and shared by threads. Its next call notices that the
    session was removed. Two are equal if they name the same session.
    """

    @staticmethod
    def in_directory(directory: str | PathLike[str]) -> Session:
        """Returns the session in a directory of any name, as PlainBox allows. Its next call checks that it
        exists."""

    @property
    def id(self) -> str:
        """The name of the session."""

    @property
    def repository(self) -> Repository:
        """The repository that holds the session."""

    @property
    def location(self) -> Path | None:
        """The directory for the program's files, on a local disk. Names that begin with `session` are reserved.
        It is removed with the session."""

    @property
    def session_file(self) -> Path | None:
        """The path of the newest checkpoint of a plain session, saved or not."""

    def load(self) -> Checkpoint:
        """Loads the newest checkpoint.

        Raises `NoCheckpoint` if nothing was saved, `NotFound` if there is no session, and `Corrupt` on damage.
        """

    def load_json(self, default: Any = None) -> Any:
        """Loads the state that `save_json` saved last, or returns `default` if nothing was saved.

        Raises `NotFound` and `Corrupt` as `load` does, and `ValueError` if the payload is not JSON.
        """

    def load_revision(self, revision: _Revision) -> Checkpoint:
        """Loads a revision that is kept: an older one, or the newest good one after damage.

        Raises `NoRevision` if it is not kept, `Corrupt` on damage, and `Unsupported` in a plain session.
        """

    def history(self) -> History:
        """Lists the revisions kept. Raises `Unsupported` in a plain session."""

    def save(
        self,
        data: Buffer,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """Saves one checkpoint as the writer for this call alone. A program that saves repeatedly keeps a
        `writer()`. Durable when it returns.

        Raises what `writer` and `Writer.save` raise.
        """

    def save_json(
        self,
        state: Any,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """Saves a state as JSON. Raises what `save` raises, and `TypeError` or `ValueError`, with nothing saved,
        if the state cannot be JSON."""

    def save_from(
        self,
        source: _Readable,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """Saves everything that a file returns, as `Writer.save_from` does. Becomes the writer once 8 MiB, or
        everything, was read."""

    def open_checkpoint(self, revision: _Revision | None = None) -> CheckpointReader:
        """Opens the newest checkpoint, or a revision that is kept, to be read in pieces. It is read and verified
        once before this returns, and again while it is read.

        Raises what `load` and `load_revision` raise.
        """

    def restore(self, revision: _Revision) -> CheckpointInfo:
        """Saves the payload and labels of an older revision again, as the newest. Restoring discards no revision.

        Raises what `load_revision`, `writer` and `Writer.save` raise.
        """

    def fork(
        self, id: str | None = None, *, revision: _Revision | None = None, prefix: str = ""
    ) -> Session:
        """Creates a session in the same repository from the newest checkpoint, or from an older revision, with
        the program's files as they are now. Durable when it returns.

        Raises what `load_revision`, `Repository.create` and `save` raise. After any error there is no new session.
        """

    def writer(self, *, timeout: float = 0.0) -> Writer:
        """Becomes the session's one writer, until it is closed or the process ends in any way.

        Waits at most `timeout` seconds for another writer to end; `math.inf` waits without limit.

        Raises `Busy` if another writer is alive, and `Locked` if PlainBox's writer may be.
        """

    def status(self) -> Status:
        """Describes the session and its writer, without reading the payload. Raises `NotFound`."""

    def unlock(self) -> Path | None:
        """Moves PlainBox's stale lock aside, at the request of a person, and returns its new path. Pitstop leaves
        nothing that needs this.

        Raises `Busy` or `Locked` while the holder is known to be alive.
        """

    def make_last(self) -> None:
        """Makes this the last session, the one to resume. Durable when it returns."""

    def remove(self) -> list[Error]:
        """Removes the session with its directory permanently, and returns an error for each file that remains. It
        leaves the listing, durably, before the first file is deleted.

        Raises `Busy` or `Locked` while it has a writer.
        """

    def trash(self) -> TrashedSession:
        """Moves the session to the trash, from which it can be restored. Durable when it returns.

        Raises `Busy` or `Locked` while it has a writer.
        """

    def verify(self) -> VerificationReport:
        """Reads every revision kept, and reports which can be loaded and where damage is. Changes nothing. A plain
        session has no checksum: it is only read."""

    def repair(self) -> RepairReport:
        """Moves damaged files aside, and saves the newest good revision again if a newer one is lost. Erases
        nothing.

        Raises `Busy` while it has a writer.
        """

    def prune(
        self,
        *,
        keep: int | None = None,
        older_than: timedelta | None = None,
        larger_than: int | None = None,
        total: int | None = None,
        labels: Mapping[str, str | None] | None = None,
        dry_run: bool = False,
    ) -> PrunedRevisions:
        """Discards revisions permanently, by the criteria of `Repository.prune`; never the newest.

        Raises `Busy` while it has a writer, `Unsupported` in a plain session.
        """

    def copy_to(
        self, destination: Repository, id: str | None = None, *, format: _Format | None = None
    ) -> Session:
        """Copies the session to another repository, with its history, labels and the program's files, or
        continues an interrupted copy. Durable when it returns.

        Raises `Diverged` if the destination holds something else, which stays unchanged.
        """

    def export(self, file: _Writable) -> ExportReport:
        """Writes the session to a file, as a tar archive of its history, labels and the program's files, for
        `Repository.import_`. Takes no lock. The file is flushed by its `flush`, and stays open.

        Raises `Corrupt` if the newest checkpoint is damaged, and what `file.write` raises. After any error the
        archive is incomplete.
        """

    def convert(self, format: _Format, *, lose_history: bool = False) -> None:
        """Converts the session to the other format, in place and atomically. Durable when it returns.

        Raises `Unsupported` if older revisions or labels would be lost, unless `lose_history`, and `Busy` while it
        has a writer.
        """

    def _open_revision(self, revision: _Revision | None, /) -> RevisionReader: ...

    def __hash__(self) -> int: ...

@final
class Writer:
    """Saves in a session, as the one process that may. Others get `Busy` until it is closed: use `with`.

    Threads may share it: their saves take turns. In a forked child its methods raise `RuntimeError`.
    """

    @property
    def session(self) -> Session:
        """The session that it writes."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""

    def save(
        self,
        data: Buffer,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """Saves `data` (bytes, or an object with a buffer of them) as the newest checkpoint.

        `labels` are small strings, readable without the payload. With `follows` it is saved only if that is
        still the newest revision. `keep` says which older revisions may be discarded for space. A buffer larger
        than 8 MiB is copied in pieces while it is saved: do not change it meanwhile.

        Durable when it returns: the payload and every directory entry leading to it are on stable storage.

        Raises `StorageError`: the previous checkpoint stands, and saving works again once the cause is gone;
        `Indeterminate`: the new one stands, and may be gone after a power cut; `Conflict`: another process saved
        first; `Unsupported`: a plain session keeps no labels; `ValueError`: it was closed.
        """

    def save_json(
        self,
        state: Any,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """Saves a state as JSON. Raises what `save` raises, and `TypeError` or `ValueError`, with nothing saved,
        if the state cannot be JSON."""

    def save_from(
        self,
        source: _Readable,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """Saves everything that a file returns as the newest checkpoint, with at most 8 MiB of it in memory.

        Raises what `source.read` raises, with nothing saved, and what `save` raises.
        """

    def restore(self, revision: _Revision) -> CheckpointInfo:
        """Saves an older revision again, as `Session.restore` does."""

    def close(self) -> None:
        """Ends the writer, after a save that is running in another thread."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

@final
class Revision:
    """Is the number of a checkpoint in its session. Two are equal if nothing was saved between them.

    A journal counts 1, 2, 3 ..., which have an order; in a plain session it is `~` and 16 hexadecimal digits,
    which have none.
    """

    NONE: ClassVar[Revision]
    """The state before the first checkpoint, which a first save follows."""

    def __new__(cls, revision: _Revision, /) -> Self: ...
    @property
    def number(self) -> int | None:
        """The number; None in a plain session."""

    def __hash__(self) -> int: ...
    def __lt__(self, other: Revision, /) -> bool: ...
    def __le__(self, other: Revision, /) -> bool: ...
    def __gt__(self, other: Revision, /) -> bool: ...
    def __ge__(self, other: Revision, /) -> bool: ...

@final
class Retention:
    """Says which older revisions a session keeps at least, beside the newest. Two always stay."""

    ALL: ClassVar[Retention]
    """Keeps all."""
    DEFAULT: ClassVar[Retention]
    """Keeps the newest 16, within 8 times the size of the newest (but 64 KiB in any case)."""

    @staticmethod
    def revisions(count: int) -> Retention:
        """Keeps the newest `count`."""

    @staticmethod
    def bytes(size: int) -> Retention:
        """Keeps as many as fit into `size` bytes of storage."""

    @staticmethod
    def age(age: timedelta) -> Retention:
        """Keeps those that are at most this old."""

@final
class RevisionReader:
    """Reads a checkpoint in pieces, from its start to its end: for `CheckpointReader`."""

    @property
    def info(self) -> CheckpointInfo:
        """Describes the checkpoint."""

    def read(self, size: int, /) -> bytes:
        """Reads `size` bytes, or fewer at the end; everything left if it is negative."""

    def close(self) -> None:
        """Closes the files."""
