"""Runs the session tests that an installed PlainBox or Checkbox brings, and prints the outcome of each as JSON.

Checkbox keeps its sessions in a fixed place: the first argument is another one, for its tests.
"""

import json
import logging
import os
import pkgutil
import sys
import unittest


class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def stopTest(self, test):
        super().stopTest(test)
        self.outcomes.setdefault(test.id(), "ok")

    def addError(self, test, error):
        self.outcomes[test.id()] = "error: " + error[0].__name__

    def addFailure(self, test, error):
        self.outcomes[test.id()] = "failure"

    def addSkip(self, test, reason):
        self.outcomes[test.id()] = "skipped"

    def addExpectedFailure(self, test, error):
        self.outcomes[test.id()] = "expected failure"

    def addUnexpectedSuccess(self, test):
        self.outcomes[test.id()] = "unexpected success"

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.outcomes[test.id()] = "failure"


def main():
    logging.disable(logging.CRITICAL)
    from plainbox.impl import session
    from plainbox.impl.session import storage

    if hasattr(storage, "WellKnownDirsHelper"):
        storage.WellKnownDirsHelper.base_of_everything = sys.argv[1]
    names = [it.name for it in pkgutil.iter_modules(session.__path__) if it.name.startswith("test_")]
    tests = unittest.defaultTestLoader.loadTestsFromNames(f"{session.__name__}.{it}" for it in names)
    result = Outcomes()
    # What the tests print is not the answer.
    answer = os.dup(1)
    os.dup2(2, 1)
    tests.run(result)
    is_pitstop = f"{os.sep}pitstop{os.sep}" in storage.__file__
    with os.fdopen(answer, "w") as output:
        json.dump({"storage": storage.__file__, "pitstop": is_pitstop, "tests": result.outcomes}, output)


main()
