"""Saves, loads and lists in Python on behalf of the benchmark, and times itself: with the real PlainBox 0.4 ("seed"),
with Pitstop ("journal", "plain"), or with Pitstop's drop-in for PlainBox ("drop-in").

Standard input has lines: "save <length> ...", followed by that many bytes for each; "load"; "list
<directory>". Each is answered by a line of nanoseconds.
"""

import logging
import sys
from time import perf_counter_ns

kind, directory = sys.argv[1:]
logging.disable(logging.CRITICAL)
if kind == "seed":
    from plainbox.impl.session.storage import SessionStorage, SessionStorageRepository
elif kind == "drop-in":
    from pitstop.compat.plainbox import SessionStorage, SessionStorageRepository
else:
    from pitstop import Repository

if kind in ("seed", "drop-in"):
    storage = SessionStorage.create(directory, False)
    save, load = storage.save_checkpoint, storage.load_checkpoint
else:
    session = Repository(directory, format=kind).create("state")
    save, load = session.writer().save, session.load


def timed(call, *arguments):
    start = perf_counter_ns()
    call(*arguments)
    return perf_counter_ns() - start


def run(do, *arguments):
    if do == b"save":
        states = [sys.stdin.buffer.read(int(length)) for length in arguments]
        return [timed(save, state) for state in states]
    if do == b"load":
        return [timed(load)]
    repository = SessionStorageRepository(arguments[0].decode())
    return [timed(repository.get_storage_list)]


print("ready", flush=True)
for line in sys.stdin.buffer:
    print(*run(*line.split()), flush=True)
