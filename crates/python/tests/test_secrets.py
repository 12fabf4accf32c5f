"""No credential of an object store comes out, whatever goes wrong."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIASECRETKEYID",
    "AWS_SECRET_ACCESS_KEY": "secret/access+key",
    "AWS_SESSION_TOKEN": "secret-session-token",
}
PASSWORD = "secret-password"

PROGRAM = """
import json, logging, pickle, sys, traceback
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
import pitstop

said = []

def attempt(call, *arguments, **options):
    try:
        return call(*arguments, **options)
    except Exception as error:
        told = {**vars(error), "args": error.args, "filename": getattr(error, "filename", None)}
        said.append(type(error).__name__)
        print(repr(error), str(error), told, pickle.dumps(error))
        traceback.print_exception(error, file=sys.stdout)

for location in json.loads(sys.argv[1]):
    repository = attempt(pitstop.Repository, location)
    if repository is not None:
        print(repr(repository), repository.location, pickle.dumps(repository))
        attempt(repository.create)
        session = repository.session("job")
        print(repr(session))
        attempt(session.load)
        attempt(session.save, b"data")
print(json.dumps(said), file=sys.stderr)
"""


class Refusal(BaseHTTPRequestHandler):
    """A store that says no, and repeats all that it was told."""

    def refuse(self) -> None:
        body = f"<Error><Code>AccessDenied</Code><Message>{self.path}</Message></Error>".encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = refuse

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.mark.parametrize("endpoint", ["refuses", "is not there"])
@pytest.mark.parametrize("user", ["", f"user:{PASSWORD}@"])
def test_no_secret_is_told(endpoint: str, user: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), Refusal)
    Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    if endpoint == "is not there":
        server.shutdown()
        server.server_close()
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **own,
        **SECRETS,
        "AWS_ENDPOINT_URL": f"http://{user}{host}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
    }
    locations = sorted({"s3://bucket/prefix", f"s3://{user}bucket/prefix"})
    command = [sys.executable, "-c", PROGRAM, json.dumps(locations)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    if endpoint == "refuses":
        server.shutdown()
        server.server_close()
    assert ran.returncode == 0, ran.stderr
    errors = json.loads(ran.stderr.splitlines()[-1])
    assert len(errors) >= 2, "nothing went wrong"
    for secret in (*SECRETS.values(), PASSWORD):
        assert secret not in ran.stdout + ran.stderr
