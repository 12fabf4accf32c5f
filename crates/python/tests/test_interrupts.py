"""A Ctrl-C comes before a save, or after it, and other threads go on meanwhile."""

import ctypes
import pickle
import signal
import subprocess
import sys
import threading

import pytest

from pitstop import Session


def test_what_is_told_as_saved_is_saved_whatever_is_interrupted(session: Session) -> None:
    program = (
        "import pickle, signal, sys\n"
        # A shell's background ignores it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "session = pickle.load(sys.stdin.buffer)\n"
        "acknowledged = 0\n"
        "try:\n"
        "    with session.writer() as writer:\n"
        "        print('ready', flush=True)\n"
        "        while True:\n"
        "            writer.save(b'%d' % (acknowledged + 1))\n"
        "            acknowledged += 1\n"
        "except KeyboardInterrupt:\n"
        "    print(acknowledged)\n"
    )
    session.save(b"0")
    for _ in range(5):
        command = [sys.executable, "-c", program]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
            assert process.stdin and process.stdout
            process.stdin.write(pickle.dumps(session))
            process.stdin.close()
            assert process.stdout.readline() == b"ready\n"
            process.send_signal(signal.SIGINT)
            acknowledged = int(process.stdout.readline())
        assert process.returncode == 0
        assert int(session.load().data) in (acknowledged, acknowledged + 1)
        assert session.status().writer.state == "idle"


def test_a_signal_that_came_first_is_handled_first(session: Session) -> None:
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    session.save(b"one")
    previous = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(Stop):
            # From the signal to the save no bytecode runs that could handle it.
            raised = map(getattr(ctypes.CDLL(None), "raise"), [signal.SIGUSR1])
            list(map(session.save, map([b"two"].__getitem__, raised)))
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert session.load().data == b"one"


def test_the_interpreter_is_free_while_a_thread_waits_for_its_turn(session: Session) -> None:
    done = threading.Event()
    with session.writer() as writer:

        def save() -> None:
            for _ in range(100):
                writer.save(bytes(1 << 20))
            done.set()

        thread = threading.Thread(target=save)
        thread.start()
        turns = 0
        while not done.is_set():
            turns += 1
        thread.join()
    # Had the saves held the interpreter, this thread would have had about a turn between two of them.
    assert turns > 1000
