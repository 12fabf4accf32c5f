"""Drives the real PlainBox 0.4 on behalf of tests/plainbox.rs.

Each line of standard input is a JSON object: {"do": "save", ...}. Each is answered by one line of
JSON: {"ok": value}, or {"error": the exception's class, "errno": its number}.
"""

import json
import logging
import os
import signal
import sys

from plainbox.impl.session.manager import SessionManager
from plainbox.impl.session.state import SessionState
from plainbox.impl.session.storage import (
    LockedStorageError,
    SessionStorage,
    SessionStorageRepository,
)

# PlainBox warns of every broken write; its answers are what the tests look at.
logging.disable(logging.CRITICAL)


def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def data_of(call):
    return bytes.fromhex(call["data"])


def do_create(call):
    return SessionStorage.create(call["base"], call["legacy"]).location


def do_list(call):
    storages = SessionStorageRepository(call["base"]).get_storage_list()
    return sorted(storage.location for storage in storages)


def do_last(call):
    storage = SessionStorageRepository(call["base"]).get_last_storage()
    return None if storage is None else storage.location


def do_default_location(call):
    os.environ.clear()
    os.environ.update(call["environment"])
    return SessionStorageRepository.get_default_location()


def do_load(call):
    return SessionStorage(call["location"]).load_checkpoint().hex()


def do_save(call):
    SessionStorage(call["location"]).save_checkpoint(data_of(call))


def do_break_lock(call):
    SessionStorage(call["location"]).break_lock()


def do_remove(call):
    SessionStorage(call["location"]).remove()


def do_die_in_save(call):
    """Writes half of the data, and is killed."""
    real = os.write

    def half(descriptor, data):
        real(descriptor, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    os.write = half
    SessionStorage(call["location"]).save_checkpoint(data_of(call))


def do_save_slowly(call):
    """Says so when it is about to flush the file, and goes on when it gets a line."""
    real = os.fsync

    def wait(descriptor):
        os.fsync = real
        say({"ok": "about to flush"})
        sys.stdin.readline()
        real(descriptor)

    os.fsync = wait
    try:
        SessionStorage(call["location"]).save_checkpoint(data_of(call))
    finally:
        os.fsync = real


def payload(writer, number):
    """As `payload` in plainbox.rs: who wrote it, which save it was, and a pattern that shows a tear."""
    pattern = ("%s %d;" % (writer, number)).encode("ascii")
    body = pattern * (1 + (number * 37) % 400)
    return b"%d %d %s\n" % (len(body), sum(body), pattern) + body


def do_checkpoint(call):
    """Saves as PlainBox's programs do: by its manager, which breaks a lock that it finds."""
    state = SessionState([])
    state.metadata.title = call["title"]
    SessionManager(state, SessionStorage(call["location"])).checkpoint()


def do_resume(call):
    """The title of the session, read as PlainBox's programs do."""
    storage = SessionStorage(call["location"])
    return SessionManager.load_session([], storage).state.metadata.title


def do_compete(call):
    """Saves again and again while others do. When the storage is locked, a polite one tries again; the
    other breaks the lock first, which is what PlainBox's own manager does."""
    storage = SessionStorage(call["location"])
    counts = {}
    saved = 0
    while saved < call["saves"]:
        try:
            storage.save_checkpoint(payload("plainbox", saved))
            saved += 1
        except OSError as error:
            kind = type(error).__name__
            counts[kind] = counts.get(kind, 0) + 1
            if isinstance(error, LockedStorageError) and not call["polite"]:
                try:
                    storage.break_lock()
                except FileNotFoundError:
                    pass
    return counts


def main():
    say({"ok": "ready"})
    for line in iter(sys.stdin.readline, ""):
        call = json.loads(line)
        try:
            say({"ok": globals()["do_" + call["do"]](call)})
        except Exception as error:
            say({"error": type(error).__name__, "errno": getattr(error, "errno", None)})


main()
