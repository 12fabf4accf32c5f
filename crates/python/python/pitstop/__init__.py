"""Keeps the state of a long-running program, so that it continues where it stopped.

A `Repository` holds sessions; a `Session` holds a program's checkpoints; its one `Writer` saves. When `save`
returns, the checkpoint is durable; when it raises, the previous checkpoint stands.

    from pitstop import Repository

    session = Repository().get_or_create("nightly-import")
    with session.writer() as writer:  # First: nobody else can save from here on.
        state = session.load_json(default={"done": 0})
        while state["done"] < 100:
            state["done"] += 1  # ... one step of the work ...
            writer.save_json(state)

`pitstop.aio` is the same for asyncio. `pitstop.langgraph`, `pitstop.claude` and `pitstop.optuna` store the state
of those programs; `pitstop.compat` replaces the session storage of PlainBox and Checkbox.

Interrupts: a signal is handled before a call, with nothing done, or after it. While an object store does not
respond, a signal ends the call within 50 ms, and the exception of its handler has the error of the call as
its cause, which says whether the outcome is unknown (`Indeterminate`).

Threads: all objects can be shared between threads. Input and output happen without the interpreter's lock; the
saves of one `Writer` take turns.

Warnings about problems beside an operation that succeeded go to the logger `pitstop`.

Forks: a child forked while a `Writer` is open cannot save with it, and keeps the session busy until the
`Writer` is closed, or the child ends or executes another program. `multiprocessing` with the start method
"spawn" has no such children.
"""

from ._errors import (
    AlreadyExists,
    Busy,
    Conflict,
    Corrupt,
    Diverged,
    Error,
    Indeterminate,
    InvalidId,
    InvalidLocation,
    LabelsTooLong,
    Locked,
    NoCheckpoint,
    NoRevision,
    NotDurable,
    NotFound,
    StorageError,
    Unsupported,
)
from ._pitstop import (
    Repository,
    Retention,
    Revision,
    Session,
    Writer,
    __version__,
)
from ._reader import CheckpointReader
from ._results import (
    Checkpoint,
    CheckpointInfo,
    ExportReport,
    Finding,
    History,
    Leftover,
    Listing,
    Owner,
    Problem,
    PrunedRevisions,
    PruneReport,
    RepairReport,
    RevisionCheck,
    RevisionInfo,
    Status,
    Summary,
    SweepReport,
    TrashedSession,
    VerificationReport,
    WriterState,
)

__all__ = [
    "AlreadyExists",
    "Busy",
    "Checkpoint",
    "CheckpointInfo",
    "CheckpointReader",
    "Conflict",
    "Corrupt",
    "Diverged",
    "Error",
    "ExportReport",
    "Finding",
    "History",
    "Indeterminate",
    "InvalidId",
    "InvalidLocation",
    "LabelsTooLong",
    "Leftover",
    "Listing",
    "Locked",
    "NoCheckpoint",
    "NoRevision",
    "NotDurable",
    "NotFound",
    "Owner",
    "Problem",
    "PruneReport",
    "PrunedRevisions",
    "RepairReport",
    "Repository",
    "Retention",
    "Revision",
    "RevisionCheck",
    "RevisionInfo",
    "Session",
    "Status",
    "StorageError",
    "Summary",
    "SweepReport",
    "TrashedSession",
    "Unsupported",
    "VerificationReport",
    "Writer",
    "WriterState",
    "__version__",
]
