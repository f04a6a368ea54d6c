"""The original Caramel server on 127.0.0.1, its CA, and requests as its clients send them."""

import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from troth_testing import SOURCE_DIR, TROTH, Authority, missing, openssl, run

VENV = SOURCE_DIR / "build" / "tools" / "caramel" / "bin"

SETTINGS = """\
[app:main]
use = egg:caramel
sqlalchemy.url = sqlite:///{folder}/caramel.sqlite
ca.cert = {folder}/ca.crt
ca.key = {folder}/ca.key
[server:main]
use = egg:waitress#main
listen = 127.0.0.1:{port}
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARN
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(asctime)s %(message)s
"""


def caramel_program(name):
    """A program of the original server's or client's package. Skips the test by name without it."""
    if not (VENV / name).exists():
        missing("caramel (PyPI)")
    return VENV / name


def hash_of(body):
    return hashlib.sha256(body).hexdigest()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Answer:
    """Status, media type, header fields and body of an HTTP response."""

    def __init__(self, response):
        self.status = response.status
        self.fields = {name.lower(): value for name, value in response.getheaders()}
        self.media_type = self.fields.get("content-type", "")
        self.body = response.read().decode()


def send(connection, method, path, body=None, fields=None):
    """Sends exactly these header fields, and a Content-Length for a body unless they say another."""
    fields = dict(fields or {})
    connection.putrequest(method, path, skip_accept_encoding=True)
    if body is not None and "Content-Length" not in fields:
        fields["Content-Length"] = str(len(body))
    for name, value in fields.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    if body:
        connection.send(body)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


class Client:
    """Talks to a server that speaks Caramel's protocol."""

    def send(self, method, path, body=None, fields=None):
        return send(self.connect(), method, path, body, fields)

    def get(self, body, **options):
        """GET of the request with this body."""
        return self.send("GET", "/" + hash_of(body), **options)

    def post(self, body, at=None):
        return self.send("POST", "/" + (at or hash_of(body)), body)


class Original(Client):
    """The original server, with a CA made by its own tool, in `folder`. Use it with `with`."""

    def __init__(self, folder, subject=("SE", "Östergötland", "Linköping", "Modio's AB", "Caramel")):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.certificate, self.key = self.folder / "ca.crt", self.folder / "ca.key"
        self.database = self.folder / "caramel.sqlite"
        self.settings = self.folder / "caramel.ini"
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.subject = "/" + "/".join(f"{key}={value}" for key, value in zip(("C", "ST", "L", "O", "OU"), subject) if value)
        self.settings.write_text(SETTINGS.format(folder=self.folder, port=self.port))
        run(caramel_program("caramel_ca"), self.settings, input="".join(line + "\n" for line in subject),
            env={"PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": "ignore"})
        run(caramel_program("caramel_initialize_db"), self.settings)

    def __enter__(self):
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen([caramel_program("pserve"), self.settings], stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONWARNINGS": "ignore"})
        deadline = time.monotonic() + 30
        while True:
            try:
                self.send("GET", "/root.crt")
                return self
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.log.seek(0)
                    said = self.log.read()
                    self.__exit__()
                    raise AssertionError(f"the original server did not start:\n{said}")
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        self.log.close()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def tool(self, *flags):
        """caramel_tool, the original's command for operators. It answers errors with exit code 1."""
        return run(caramel_program("caramel_tool"), *flags, self.settings,
                   env={"PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": "ignore"}).stdout

    def number_of(self, body):
        """The number by which caramel_tool knows the request."""
        for line in self.tool("--list").splitlines():
            if hash_of(body) in line:
                return line.split()[0]
        raise AssertionError("the original does not list the request")

    def sign(self, body):
        self.tool("--sign", self.number_of(body))

    def reject(self, body):
        self.tool("--reject", self.number_of(body))


class Troth(Authority, Client):
    """`troth serve --one-tier`. Use it with `with`."""

    def __init__(self, data, *flags):
        super().__init__(data, "--one-tier", *flags)

    def __enter__(self):
        super().__enter__()
        self.port = int(self.https.rsplit(":", 1)[1])
        self.name = f"localhost:{self.port}"
        self.base = f"https://{self.name}"
        self.root = pathlib.Path(self.data) / "root.pem"
        self.tls = ssl.create_default_context(cafile=self.root)
        return self

    def connect(self):
        return http.client.HTTPSConnection("localhost", self.port, timeout=20, context=self.tls)

    def operate(self, *argv):
        """A command of the operator's, on the authority's own machine."""
        return json.loads(run(TROTH, "--json", *argv, "--data", self.data).stdout)

    def requests(self, state="all"):
        return self.operate("requests", "list", "--state", state)["requests"]

    def sign(self, body):
        return self.operate("requests", "approve", hash_of(body))

    def reject(self, body):
        return self.operate("requests", "reject", hash_of(body), "--why", "a test")


class Requests:
    """Certificate requests as openssl makes them, in `folder`, all for one CA."""

    def __init__(self, folder, prefix):
        self.folder, self.prefix = pathlib.Path(folder), prefix

    def make(self, name, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), subject=None, extra=()):
        file = self.folder / f"{name.replace('/', '_')}.csr"
        openssl("req", "-new", "-utf8", "-nodes", "-newkey", *key, "-keyout", file.with_suffix(".key"), "-out", file,
                "-subj", f"{self.prefix}/CN={name}" if subject is None else subject, *extra)
        return file.read_bytes()


def certificate_facts(pem, folder):
    """What two servers must agree on in the certificates that they make of one request."""
    file = pathlib.Path(folder) / "facts.pem"
    file.write_text(pem)
    text = openssl("x509", "-in", file, "-noout", "-text", "-nameopt", "utf8,sep_comma_plus").stdout
    facts = {label: found.group(1).strip() if (found := re.search(pattern, text)) else None for label, pattern in {
        "subject": r"Subject: (.*)", "issuer": r"Issuer: (.*)", "basic constraints": r"Basic Constraints: (critical\s+.*)",
        "alternative name": r"Subject Alternative Name: *\n(.*)", "subject key id": r"Subject Key Identifier: *\n(.*)"}.items()}
    usages = re.search(r"Extended Key Usage: (\w*)\s+(.*)", text)
    facts["extended key usage"] = (usages.group(1), sorted(usages.group(2).split(", ")))
    facts["public key"] = openssl("x509", "-in", file, "-noout", "-pubkey").stdout
    facts["authority key id"] = re.search(r"Authority Key Identifier: *\n\s*(?:keyid:)?([0-9A-F:]+)", text).group(1)
    return facts
