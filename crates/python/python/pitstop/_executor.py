"""Runs blocking calls in threads of its own, so that they take none from the program's executor."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

THREADS = 8
"""How many calls of a process run at once. More wait in a queue."""


_executor = ThreadPoolExecutor(THREADS, thread_name_prefix="pitstop")


def _renew() -> None:
    global _executor
    _executor = ThreadPoolExecutor(THREADS, thread_name_prefix="pitstop")


# A fork has no threads but the one that forked.
os.register_at_fork(after_in_child=_renew)


def call(function: Callable[..., T], /, *args: Any, **options: Any) -> asyncio.Future[T]:
    """Starts a call in one of the threads, with the context of the caller."""
    work = functools.partial(contextvars.copy_context().run, function, *args, **options)
    return asyncio.get_running_loop().run_in_executor(_executor, work)
