"""Keeps the state of a long-running program, so that it picks up where it left off.

A `Repository` is a directory that holds sessions; a `Session` is a named thing in it that holds the
program's newest checkpoint; its one `Writer` saves. When `save` returns, the checkpoint is on stable
storage, whole; when it raises, the checkpoint before it still stands.

    from pitstop import Repository

    session = Repository().get_or_create("nightly-import")
    with session.writer() as writer:  # First: nobody else can save from here on.
        state = session.load_json(default={"done": 0})
        while state["done"] < 100:
            state["done"] += 1  # ... one step of the work ...
            writer.save_json(state)

`pitstop.aio` is the same for asyncio, `pitstop.compat` are drop-ins for the storage of PlainBox and
Checkbox.

Interrupts: a signal is handled before a call begins its work, and then nothing was done, or after it is
through. A KeyboardInterrupt out of `save` thus means that the checkpoint was saved, or that nothing was.

Threads: everything may be shared between threads. Input and output happen without the interpreter's
lock; the saves of one `Writer` take turns.

Warnings, about what went wrong beside an operation that succeeded, go to the logger `pitstop`.

Forks: a child that is forked off while a `Writer` is open cannot save with it, and keeps the session busy
until the `Writer` is closed, or the child ends or executes another program. `multiprocessing` with the
start method "spawn" has no such children.
"""

from ._errors import (
    AlreadyExists,
    Busy,
    Conflict,
    Damaged,
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
    Checkpoint,
    CheckpointInfo,
    CheckpointReader,
    Exported,
    Finding,
    History,
    Kept,
    Leftover,
    Listing,
    Owner,
    Problem,
    Pruned,
    PrunedRevisions,
    Repair,
    Repository,
    Retention,
    Revision,
    Session,
    Status,
    Summary,
    Sweep,
    Trashed,
    Verification,
    Verified,
    Writer,
    WriterState,
)

__all__ = [
    "AlreadyExists",
    "Busy",
    "Checkpoint",
    "CheckpointInfo",
    "CheckpointReader",
    "Conflict",
    "Damaged",
    "Diverged",
    "Error",
    "Exported",
    "Finding",
    "History",
    "Indeterminate",
    "InvalidId",
    "InvalidLocation",
    "Kept",
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
    "Pruned",
    "PrunedRevisions",
    "Repair",
    "Repository",
    "Retention",
    "Revision",
    "Session",
    "Status",
    "StorageError",
    "Summary",
    "Sweep",
    "Trashed",
    "Unsupported",
    "Verification",
    "Verified",
    "Writer",
    "WriterState",
]
