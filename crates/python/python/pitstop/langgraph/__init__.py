"""Stores the threads of LangGraph: `pip install pitstop[langgraph]`.

    from pitstop.langgraph import PitstopSaver

    with PitstopSaver("/var/lib/agent") as saver:
        graph = builder.compile(checkpointer=saver)
        graph.invoke(state, {"configurable": {"thread_id": "customer-7"}})

Each thread is a session. What `put` and `put_writes` stored is durable when they return, and loaded by one read.

Write ownership: a write that continues an older state than the newest is refused with `NotOwner`, unless this saver
was the last to write the thread. So two processes that run one thread never fork it silently: the second `put`
fails. `claim` makes a saver the only one that may write a thread, after a restart too, until `release` or
another claim. Reading is never refused and never waits.
"""

from ._saver import PitstopSaver
from ._thread import NotOwner

__all__ = ["NotOwner", "PitstopSaver"]
