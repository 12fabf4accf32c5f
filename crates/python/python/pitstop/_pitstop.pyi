import builtins
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, final, type_check_only

from typing_extensions import Buffer, Self

from ._errors import Error

__all__ = [
    "dump_json",
    "Checkpoint",
    "CheckpointInfo",
    "CheckpointReader",
    "Exported",
    "Finding",
    "History",
    "Kept",
    "Leftover",
    "Listing",
    "Owner",
    "Problem",
    "Pruned",
    "PrunedRevisions",
    "Repair",
    "Repository",
    "Retention",
    "Revision",
    "Session",
    "Status",
    "Summary",
    "Sweep",
    "Trashed",
    "Verification",
    "Verified",
    "Writer",
    "WriterState",
]

def dump_json(state: Any) -> bytes:
    """The state as `save_json` writes it."""

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
    """A place that holds sessions."""

    def __new__(
        cls, location: str | PathLike[str] | None = None, *, format: _Format | None = None
    ) -> Self:
        """The repository in this directory, or in `default_location()`. Or the one in an object store, where the
        location is a URL: `s3://bucket/prefix`, `gs://...`, `az://...`.

        The directory is made when the first session is. New sessions are journals, unless `format` says
        otherwise; those that are there stay as they are.

        Raises `InvalidLocation` if there is something else than a directory.
        """

    @staticmethod
    def plainbox() -> Repository:
        """The repository that PlainBox uses, in `plainbox_location()`. New sessions are plain ones."""

    @staticmethod
    def in_memory() -> Repository:
        """A repository in the memory of this process: for tests. Nothing in it is durable."""

    @staticmethod
    def default_location() -> Path:
        """`$PITSTOP_REPOSITORY`, else `$XDG_STATE_HOME/pitstop/sessions`, else
        `~/.local/state/pitstop/sessions`. The environment is read at each call."""

    @staticmethod
    def plainbox_location() -> Path:
        """`$XDG_CACHE_HOME/plainbox/sessions`, else `~/.cache/plainbox/sessions`."""

    @property
    def location(self) -> Path | str:
        """Where it is: an absolute path or, in an object store, a URL."""

    def create(
        self,
        id: str | None = None,
        *,
        prefix: str = "",
        format: _Format | None = None,
        replace_last: bool = False,
    ) -> Session:
        """Makes a new session, and the repository where there is none.

        Without `id` it gets a name that is made up, beginning with `prefix`. With `replace_last` it becomes
        the last session with its first checkpoint, and only then the one before it is removed, unless it
        is in use.

        Durable when it returns: its directory and every one above it are on stable storage.

        Raises `AlreadyExists` if there is one of this `id`. After any error there is no new session.
        """

    def get(self, id: str) -> Session:
        """The session of this name. Raises `NotFound` if there is none."""

    def get_or_create(self, id: str) -> Session:
        """The session of this name, made if there is none. Any number of processes may do so at once."""

    def session(self, id: str) -> Session:
        """The session of this name, without a look whether it exists: its next call tells."""

    def list(
        self, *, labels: Mapping[str, str | None] | None = None, in_full: bool = False
    ) -> Listing:
        """The sessions, those that changed last first, and what could not be read as one. With `labels` those
        whose newest checkpoint has these (None: whatever the value).

        In an object store `size` and `labels` are told only `in_full`, or where labels are asked for: that
        takes a look into each session that changed since.
        """

    def sweep(self, *, dry_run: bool = False) -> Sweep:
        """Deletes what killed processes left: sessions that were being made, or removed. Nothing that a live
        process needs is touched, and no session, checkpoint or evidence ever is.
        """

    def import_(
        self, source: _Readable, id: str | None = None, *, format: _Format | None = None
    ) -> Session:
        """Makes a session of an archive that `Session.export` wrote, or fills one up that stands where it stood
        at an earlier revision. Durable when it returns, and every digest was right.

        Raises `Damaged` if the archive is no whole one, what the file's `read` does, `Diverged` if the session is
        there and holds something else. After any, a session that this has made is removed.
        """

    def last(self) -> Session | None:
        """The session that a program offers to resume: the last one that was made so, if it exists.

        Raises `Damaged` if what should name it is something else.
        """

    def trash(self) -> builtins.list[Trashed]:
        """The removed sessions that can be put back, the last removed first."""

    def restore_from_trash(self, trashed: Trashed, id: str | None = None) -> Session:
        """Puts a removed session back, under its name or another one. Durable when it returns.

        Raises `AlreadyExists` if there is one of that name: then it stays in the trash; `NotFound` if it is
        not there any more.
        """

    def delete_from_trash(self, trashed: Trashed) -> builtins.list[Error]:
        """Deletes it for good, and returns what could not be deleted."""

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
    ) -> Pruned:
        """Removes sessions into the trash, or `permanently`: all but the newest `keep`; those that were not saved
        for so long; those that take more than so many bytes; the oldest, until all take no more than `total`.
        What meets one of these goes, of the sessions with these labels (None: whatever its value). Without one of
        the four nothing goes, and neither does a live session or the last one.
        """

    def __iter__(self) -> Iterator[Session]:
        """The sessions, those that changed last first. What cannot be read hides none of the others;
        `list()` names it."""

    def __contains__(self, id: str, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[Path | str], dict[str, Any]]: ...

@final
class Session:
    """A named thing in a repository that holds a program's checkpoints.

    It is a name, not an open file: it can be kept, pickled and used by several threads, and it notices at
    the next call that the session was removed. Two are equal if they name the same.
    """

    @staticmethod
    def in_directory(directory: str | PathLike[str]) -> Session:
        """The session in this directory, wherever it is and whatever that is called: PlainBox allows any name.
        It need not exist; its next call tells."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def repository(self) -> Repository: ...
    @property
    def location(self) -> Path | None:
        """The directory in which the program may keep files of its own, on a local disk. Names that begin
        with `session` are not free. It is removed with the session."""

    @property
    def session_file(self) -> Path | None:
        """The file that holds the newest checkpoint of a plain session, whether or not it was saved."""

    def load(self) -> Checkpoint:
        """The newest checkpoint.

        Raises `NoCheckpoint` if nothing was ever saved, `NotFound` if the session is gone, `Damaged` if what
        lies there is no checkpoint.
        """

    def load_json(self, default: Any = None) -> Any:
        """The state that `save_json` saved last, or `default` if nothing was ever saved.

        Raises what `load` does, but for `NoCheckpoint`, and `ValueError` if it is not JSON.
        """

    def load_revision(self, revision: _Revision) -> Checkpoint:
        """A revision that is kept: an older one, or the newest good one where `load` found damage.

        Raises `NoRevision` if it is not kept, `Damaged` if it is damaged, `Unsupported` in a plain session.
        """

    def history(self) -> History:
        """The revisions that are kept. Raises `Unsupported` in a plain session."""

    def save(
        self,
        data: Buffer,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """Saves one checkpoint, and is the session's writer only for that long. A program that saves again
        and again keeps a `writer()` instead.

        Durable when it returns: payload and every directory entry on the way to it are on stable storage.

        Raises what `writer` and `Writer.save` do.
        """

    def save_json(
        self,
        state: Any,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """`save` of the state as JSON. Raises `TypeError` or `ValueError` if it cannot be that; then nothing
        was saved."""

    def save_from(
        self,
        source: _Readable,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """Saves what a file gives, up to its end, as `Writer.save_from` does. Nobody else is kept from writing
        before 8 MiB of it have come, or all."""

    def open_checkpoint(self, revision: _Revision | None = None) -> CheckpointReader:
        """The newest checkpoint, or a revision that is kept, to be read in pieces: for one that is larger than
        memory. It is read once and checked before this returns, and checked again while it is read.

        Raises what `load` and `load_revision` do.
        """

    def restore(self, revision: _Revision) -> CheckpointInfo:
        """Makes an older revision the newest: its payload and its labels are saved again, as a new revision.
        None is given up for it.

        Raises what `load_revision`, `writer` and `Writer.save` do.
        """

    def fork(
        self, id: str | None = None, *, revision: _Revision | None = None, prefix: str = ""
    ) -> Session:
        """Makes a new session of the newest checkpoint, or of an older revision, in the same repository. The
        program's own files come with it, as they are now. Durable when it returns.

        Raises what `load_revision`, `Repository.create` and `save` do. After any there is no new session.
        """

    def writer(self) -> Writer:
        """Becomes the session's one writer, until it is closed or the process ends in any way.

        Raises `Busy` if another writer lives, `Locked` if PlainBox's may.
        """

    def status(self) -> Status:
        """How it stands. Neither reads the payload nor disturbs a writer. Raises `NotFound`."""

    def unlock(self) -> Path | None:
        """Clears a lock that PlainBox left, on a person's word, and returns where it is kept now. Nothing
        that Pitstop leaves behind ever needs this.

        Raises `Busy` or `Locked` while its holder is seen to live.
        """

    def make_last(self) -> None:
        """Makes this the session that `Repository.last` offers to resume; durable when it returns."""

    def remove(self) -> list[Error]:
        """Removes the session and every file in its directory, and returns what could not be deleted. It is
        out of the listing, durably, before the first file goes.

        Raises `Busy` or `Locked` while it has a writer.
        """

    def trash(self) -> Trashed:
        """Removes the session, so that it can be put back. Durable when it returns.

        Raises `Busy` or `Locked` while it has a writer.
        """

    def verify(self) -> Verification:
        """Reads every revision that is kept, and says which can be loaded, and where damage is. Changes nothing,
        and disturbs no writer. A plain session has nothing to check its checkpoint by."""

    def repair(self) -> Repair:
        """Moves what is damaged aside, and makes the newest good revision the newest. Erases nothing.

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
        """Gives revisions up by the criteria of `Repository.prune`, for good; never the newest.

        Raises `Busy` while it has a writer, `Unsupported` in a plain session.
        """

    def copy_to(
        self, destination: Repository, id: str | None = None, *, format: _Format | None = None
    ) -> Session:
        """Copies it into another repository, with its history, labels and the program's own files, or goes on
        with a copy that was interrupted. Durable when it returns.

        Raises `Diverged` if the copy holds something else, which stays as it is.
        """

    def export(self, file: _Writable) -> Exported:
        """Writes it into a single file, a tar archive: its history, labels and the program's own files.
        `Repository.import_` makes a session of it, on any machine. No lock is taken. The file is flushed, as its
        `flush` does, and stays open.

        Raises what the file's `write` does, and `Damaged` if the newest checkpoint is. After any, what was written
        is no whole archive.
        """

    def convert(self, format: _Format, *, lose_history: bool = False) -> None:
        """Turns it into a session of the other format, in place and at one moment. Durable when it returns.

        Raises `Unsupported` if older revisions or labels would be lost, unless `lose_history`; `Busy` while it
        has a writer.
        """

    def __hash__(self) -> int: ...

@final
class Writer:
    """The one writer of a session. Others get `Busy` until it is closed, best by `with`.

    Threads may share it: their saves take turns. A child that was forked off gets `RuntimeError`.
    """

    @property
    def session(self) -> Session: ...
    @property
    def closed(self) -> bool: ...
    def save(
        self,
        data: Buffer,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """Makes `data` (bytes, or anything like it) the newest checkpoint.

        `labels` are small strings, readable without the payload. With `follows` it is saved only if that is
        still the newest revision. `keep` says which older revisions may go when space is needed.

        Durable when it returns: payload and every directory entry on the way to it are on stable storage.

        Raises `StorageError`: the checkpoint before stands, and saving goes on once the cause is gone;
        `Indeterminate`: the new one is there, and may be gone after a power cut; `Conflict`: somebody saved
        in between; `Unsupported`: a plain session keeps no labels; `ValueError`: it was closed.
        """

    def save_json(
        self,
        state: Any,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """`save` of the state as JSON. Raises `TypeError` or `ValueError` if it cannot be that; then nothing
        was saved."""

    def save_from(
        self,
        source: _Readable,
        *,
        labels: Mapping[str, str] | None = None,
        follows: _Revision | None = None,
        keep: Retention | None = None,
    ) -> CheckpointInfo:
        """Makes what a file gives, up to its end, the newest checkpoint: for one that is larger than memory. Up
        to 8 MiB of it are in memory.

        Raises what the file's `read` does, and then nothing was saved; else what `save` does.
        """

    def restore(self, revision: _Revision) -> CheckpointInfo:
        """`Session.restore`, by the writer that is held."""

    def close(self) -> None:
        """Gives the place of the writer back, after a save that is under way in another thread."""

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
    """Which checkpoint of its session one is. Two are equal if nobody saved between them.

    Sessions that keep numbers count 1, 2, 3 ...; a plain session's is `~` and 16 hexadecimal digits.
    """

    NONE: ClassVar[Revision]
    """The state before the first checkpoint: what a save that must be the first one follows."""

    def __new__(cls, revision: _Revision, /) -> Self: ...
    @property
    def number(self) -> int | None:
        """Its number, where its session keeps numbers."""

    def __hash__(self) -> int: ...

@final
class CheckpointInfo:
    """What is known of a checkpoint beside its bytes."""

    @property
    def revision(self) -> Revision: ...
    @property
    def saved(self) -> datetime:
        """When it was saved (UTC), by the clock of the machine that saved it."""

    @property
    def size(self) -> int:
        """The length of its payload in bytes."""

    @property
    def digest(self) -> str:
        """XXH3 of its payload: it finds accidents, and is no protection against forgery."""

    @property
    def labels(self) -> dict[str, str]: ...

@final
class Checkpoint:
    """What a program saved."""

    @property
    def info(self) -> CheckpointInfo: ...
    @property
    def data(self) -> bytes:
        """The bytes, exactly as they were saved."""

    def json(self) -> Any:
        """The state that these bytes are as JSON. Raises `ValueError` if they are not."""

@final
class CheckpointReader:
    """Reads a checkpoint that was found to be whole, in any pieces.

    It stays the same checkpoint, whatever is saved meanwhile, as long as its revision is kept. The last bytes
    are given only after the digest of all that was read is seen to be right: else `read` raises `Damaged`.
    """

    @property
    def info(self) -> CheckpointInfo: ...
    @property
    def closed(self) -> bool: ...
    def read(self, size: int | None = None, /) -> bytes:
        """So many bytes, or fewer at the end; all that are left without a size."""

    def readable(self) -> bool: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

@final
class Kept:
    """One revision that is kept."""

    @property
    def info(self) -> CheckpointInfo: ...
    @property
    def stored(self) -> int:
        """How many bytes of storage it takes by itself."""

@final
class History:
    """The revisions of a session."""

    @property
    def revisions(self) -> list[Kept]:
        """Those that are kept, the newest first."""

    @property
    def damaged(self) -> list[Revision]:
        """Those that were saved and are lost to damage, the newest first."""

    @property
    def may_lack_newer(self) -> bool:
        """Whether damage may have taken newer ones than all of these, of which not even the numbers are known."""

@final
class Retention:
    """Which older revisions a session keeps beside the newest: at least these. Two always stay."""

    ALL: ClassVar[Retention]
    """All of them."""
    DEFAULT: ClassVar[Retention]
    """The newest 16, within 8 times the size of the newest (but 64 KiB in any case)."""

    @staticmethod
    def revisions(count: int) -> Retention:
        """So many."""

    @staticmethod
    def bytes(size: int) -> Retention:
        """As many as fit into so many bytes of storage."""

    @staticmethod
    def age(age: timedelta) -> Retention:
        """Those that are not older."""

@final
class Owner:
    """The record that a writer leaves of itself."""

    def __new__(
        cls,
        host: str,
        boot_id: str,
        pid: int,
        start_time: int,
        program: str,
        since: datetime,
    ) -> Self: ...
    def __getnewargs__(self) -> tuple[str, str, int, int, str, datetime]: ...
    @property
    def host(self) -> str: ...
    @property
    def boot_id(self) -> str: ...
    @property
    def pid(self) -> int:
        """Its process id, as seen inside its own container."""

    @property
    def start_time(self) -> int:
        """When its process started, in clock ticks since boot."""

    @property
    def program(self) -> str: ...
    @property
    def since(self) -> datetime:
        """When it became the writer (UTC)."""

@final
class Summary:
    """One session in a listing."""

    @property
    def id(self) -> str: ...
    @property
    def saved(self) -> datetime | None:
        """When its newest checkpoint was saved (UTC); None if never."""

    @property
    def size(self) -> int | None:
        """The size of its newest checkpoint in bytes; None if never saved."""

    @property
    def labels(self) -> dict[str, str] | None:
        """The labels of its newest checkpoint; None where the listing does not tell."""

    @property
    def changed(self) -> datetime:
        """When it was saved, or else when it was made (UTC)."""

    @property
    def format(self) -> str: ...
    @property
    def live(self) -> bool:
        """Whether a writer lives."""

@final
class Problem:
    """An entry of a repository that could not be read as a session."""

    @property
    def name(self) -> str: ...
    @property
    def error(self) -> Error: ...

@final
class Listing:
    """What a repository holds."""

    @property
    def sessions(self) -> list[Summary]: ...
    @property
    def problems(self) -> list[Problem]: ...

@final
class WriterState:
    """Whether a session has a writer."""

    @property
    def state(self) -> Literal["idle", "live", "interrupted", "plainbox"]:
        """"idle": nobody; "live": somebody; "interrupted": nobody, and the last one was killed, about which
        nothing has to be done; "plainbox": PlainBox's `session.next` is there."""

    @property
    def owner(self) -> Owner | None:
        """Who is the writer, or was when it was killed."""

    @property
    def age(self) -> timedelta | None:
        """How long PlainBox's `session.next` has been unchanged."""

    @property
    def stale(self) -> bool:
        """Whether the next writer takes the session over, because nobody can be writing that file."""

@final
class Status:
    """How a session stands."""

    @property
    def summary(self) -> Summary: ...
    @property
    def created(self) -> datetime | None:
        """When it was made (UTC), where that is known."""

    @property
    def writer(self) -> WriterState: ...

@final
class Finding:
    """Something that is not as it should be."""

    @property
    def severity(self) -> Literal["note", "leftover", "damage"]:
        """"note": nothing has to be done; "leftover": the next writer clears it away; "damage": something is
        lost, or in the way."""

    @property
    def place(self) -> Path: ...
    @property
    def at(self) -> int | None:
        """Where in the file, in bytes."""

    @property
    def revision(self) -> Revision | None: ...
    @property
    def what(self) -> str: ...

@final
class Verified:
    """A revision that was read, or is lost."""

    @property
    def revision(self) -> Revision: ...
    @property
    def info(self) -> CheckpointInfo | None: ...
    @property
    def error(self) -> Error | None:
        """Why it cannot be loaded; None if it can."""

@final
class Verification:
    """What `Session.verify` found."""

    @property
    def id(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def revisions(self) -> list[Verified]:
        """The newest first."""

    @property
    def findings(self) -> list[Finding]: ...
    @property
    def damaged(self) -> bool:
        """Whether something is lost, or in the way."""

    @property
    def newest_good(self) -> Revision | None: ...

@final
class Repair:
    """What a repair did."""

    @property
    def moved_aside(self) -> list[Path]:
        """The names that it has now."""

    @property
    def renewed(self) -> tuple[Revision, Revision] | None:
        """The newest good revision, and under which number it is the newest again."""

    @property
    def now(self) -> Verification: ...

@final
class Trashed:
    """A removed session that can be put back."""

    @property
    def id(self) -> str: ...
    @property
    def removed(self) -> datetime:
        """When (UTC)."""

    @property
    def bytes(self) -> int:
        """What its removal from the trash gives back."""

@final
class Pruned:
    """What `Repository.prune` did, or would do."""

    @property
    def gone(self) -> list[str]:
        """The ids of those that went, the newest first."""

    @property
    def spared(self) -> list[str]:
        """Those that meet the criteria and stay: live ones, and the last."""

    @property
    def problems(self) -> list[Problem]:
        """What could not be read or removed."""

    @property
    def bytes(self) -> int:
        """What they take; in the trash, they take it still."""

@final
class Sweep:
    """What `Repository.sweep` did, or would do."""

    @property
    def leftovers(self) -> list[Leftover]:
        """What was deleted, or would be."""

    @property
    def remains(self) -> list[Error]:
        """What could not be deleted."""

@final
class Leftover:
    """Something that a killed process left."""

    @property
    def place(self) -> Path: ...
    @property
    def what(self) -> str: ...
    @property
    def bytes(self) -> int:
        """What it takes."""

@final
class Exported:
    """What was written into an archive."""

    @property
    def revisions(self) -> int:
        """How many."""

    @property
    def files(self) -> int:
        """How many of the program's own."""

    @property
    def damaged(self) -> list[Revision]:
        """The revisions that are damaged, and are not in it. The newest is never among them."""

    @property
    def passed_over(self) -> list[tuple[Path, str]]:
        """What of the session's directory is not in it, and why."""

@final
class PrunedRevisions:
    """What `Session.prune` did, or would do."""

    @property
    def gone(self) -> list[Kept]:
        """The newest first."""

    @property
    def bytes(self) -> int:
        """What was given back."""
