#!/usr/bin/env python3
"""Makes tests/fixtures/checkbox-1.18.1 with the real Checkbox 1.18.1, which can write versions 1 to 7.

    python3 -m venv /tmp/checkbox && /tmp/checkbox/bin/pip install checkbox-ng==1.18.1 'jinja2<3.1' \\
        'markupsafe<2.1' 'setuptools<70'
    /tmp/checkbox/bin/python tests/plainbox/make_checkpoints.py

The same test run in each version: five jobs are wanted, one passed, one failed and then passed,
one is not supported, one is running. The log of one is there and of another is not.
"""

import os
import shutil

from plainbox.impl.result import DiskJobResult, MemoryJobResult
from plainbox.impl.session import suspend
from plainbox.impl.session.state import SessionState
from plainbox.impl.unit.job import JobDefinition

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, os.pardir, "fixtures", "checkbox-1.18.1")
NAMESPACE = "com.canonical.certification::"


def job(name):
    return JobDefinition({"id": NAMESPACE + name, "plugin": "shell", "command": "true"})


def test_run(directory):
    memory, disk, wifi, sleep, camera = jobs = [
        job("memory/info"), job("disk/speed"), job("wifi/scan"), job("power/suspend"), job("camera/still"),
    ]
    state = SessionState(jobs)
    state.update_desired_job_list(jobs)
    state.update_job_result(memory, DiskJobResult({
        "outcome": "pass", "return_code": 0, "execution_duration": 1.5,
        "io_log_filename": os.path.join(directory, "io-logs", "memory_info.record.gz"),
    }))
    for outcome in ["fail", "pass"]:
        state.update_job_result(disk, MemoryJobResult({
            "outcome": outcome, "return_code": 0, "comments": "größer",
            "io_log": [(0.5, "stdout", b"88 MB/s\n")],
        }))
    state.update_job_result(wifi, DiskJobResult({
        "outcome": "not-supported",
        "io_log_filename": os.path.join(directory, "io-logs", "wifi_scan.record.gz"),
    }))
    state.metadata.title = "Nightly run"
    state.metadata.flags = {"incomplete", "bootstrapping"}
    state.metadata.running_job_name = sleep.id
    state.metadata.app_blob = b'{"testplan_id": "com.canonical.certification::nightly", "launcher": null}'
    state.metadata.app_id = "com.canonical:checkbox-cli"
    state.metadata.custom_joblist = True
    state.metadata.rejected_jobs = [NAMESPACE + "audio/loop"]
    state.metadata.last_job_start_time = 1385550000.25
    return state


def main():
    shutil.rmtree(FIXTURES, ignore_errors=True)
    for version in range(1, 8):
        directory = os.path.join(FIXTURES, "version-%d.session" % version)
        os.makedirs(os.path.join(directory, "io-logs"))
        with open(os.path.join(directory, "io-logs", "memory_info.record.gz"), "wb"):
            pass
        helper = getattr(suspend, "SessionSuspendHelper%d" % version)()
        # Before version 5 the paths of logs were whole ones; here, those of the machine it ran on.
        place = directory if version >= 5 else "/home/user/.cache/plainbox/sessions/run"
        with open(os.path.join(directory, "session"), "wb") as file:
            file.write(helper.suspend(test_run(place), place))


main()
