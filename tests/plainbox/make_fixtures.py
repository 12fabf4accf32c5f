"""Makes tests/fixtures/plainbox-0.4 with the real PlainBox 0.4.

    python3 -m venv /tmp/plainbox-0.4
    /tmp/plainbox-0.4/bin/pip install --no-deps plainbox==0.4
    /tmp/plainbox-0.4/bin/python tests/plainbox/make_fixtures.py

The names of the sessions are random, so each run makes other ones: they are renamed afterwards to what
the tests look for. PlainBox writes the whole path of the machine into `last-session`; the fixture
holds the text in a file `last-session.txt` with @REPOSITORY@ in place of that path, and the tests
make the link.
"""

import os
import shutil
import tempfile

from plainbox.impl.job import JobDefinition
from plainbox.impl.result import MemoryJobResult
from plainbox.impl.session.state import SessionState
from plainbox.impl.session.storage import SessionStorage
from plainbox.impl.session.suspend import SessionSuspendHelper

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, os.pardir, "fixtures", "plainbox-0.4")


def suspended_session():
    """What a test run with one job done and one still to do leaves in its checkpoint."""
    done = JobDefinition({"name": "memory/info", "plugin": "shell", "command": "free"})
    to_do = JobDefinition({"name": "disk/speed", "plugin": "shell", "command": "true"})
    state = SessionState([done, to_do])
    state.update_desired_job_list([done, to_do])
    log = [(0.5, "stdout", b"Mem: 1024\n")]
    state.update_job_result(
        done,
        MemoryJobResult({"outcome": "pass", "return_code": 0, "io_log": log}),
    )
    state.metadata.title = "Nightly run"
    state.metadata.flags = {"incomplete"}
    state.metadata.running_job_name = "disk/speed"
    return SessionSuspendHelper().suspend(state)


def leave_half_a_save(storage):
    """Stops PlainBox as a crash in the middle of a write does."""
    if os.fork() == 0:
        real = os.write

        def half(descriptor, data):
            real(descriptor, data[: len(data) // 2])
            os._exit(0)

        os.write = half
        storage.save_checkpoint(b"never finished")
    os.wait()


def make(repository):
    def session(name, legacy=False):
        storage = SessionStorage.create(repository, legacy)
        made[name] = os.path.basename(storage.location)
        return storage

    made = {}
    session("run").save_checkpoint(suspended_session())
    session("empty").save_checkpoint(b"")
    session("new")
    interrupted = session("interrupted")
    interrupted.save_checkpoint(b"the save before")
    leave_half_a_save(interrupted)
    # The second legacy session replaces the first.
    session("replaced", legacy=True).save_checkpoint(b"replaced")
    legacy = session("legacy", legacy=True)
    legacy.save_checkpoint(bytes(range(256)))
    os.mkdir(os.path.join(legacy.location, "io-logs"))
    with open(os.path.join(legacy.location, "io-logs", "job.stdout"), "w") as log:
        log.write("kept by the program\n")
    return made


def main():
    scratch = tempfile.mkdtemp()
    try:
        repository = os.path.join(scratch, "sessions")
        made = make(repository)
        link = os.path.join(repository, "last-session")
        text = os.readlink(link)
        os.unlink(link)
        with open(os.path.join(repository, "last-session.txt"), "w") as file:
            text = text.replace(repository, "@REPOSITORY@")
            file.write(text.replace(made["legacy"], "pbox-legacy.session"))
        for name, directory in made.items():
            directory = os.path.join(repository, directory)
            if os.path.isdir(directory):
                os.rename(directory, os.path.join(repository, "pbox-%s.session" % name))
        # Git keeps no empty directory: this file says that there is one.
        with open(os.path.join(repository, "pbox-new.session", ".gitkeep"), "w"):
            pass
        shutil.rmtree(FIXTURES, ignore_errors=True)
        shutil.copytree(repository, FIXTURES)
    finally:
        shutil.rmtree(scratch)


main()
