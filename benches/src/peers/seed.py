"""Saves, loads and lists with the real PlainBox 0.4 on behalf of the benchmark, and times itself.

Standard input has lines: "save <length> ...", followed by that many bytes for each; "load"; "list
<directory>". Each is answered by a line of nanoseconds.
"""

import logging
import sys
from time import perf_counter_ns

from plainbox.impl.session.storage import SessionStorage, SessionStorageRepository

logging.disable(logging.CRITICAL)
storage = SessionStorage.create(sys.argv[1], False)


def timed(call, *arguments):
    start = perf_counter_ns()
    call(*arguments)
    return perf_counter_ns() - start


def run(do, *arguments):
    if do == b"save":
        states = [sys.stdin.buffer.read(int(length)) for length in arguments]
        return [timed(storage.save_checkpoint, state) for state in states]
    if do == b"load":
        return [timed(storage.load_checkpoint)]
    repository = SessionStorageRepository(arguments[0].decode())
    return [timed(repository.get_storage_list)]


print("ready", flush=True)
for line in sys.stdin.buffer:
    print(*run(*line.split()), flush=True)
