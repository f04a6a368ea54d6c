"""What end-to-end and interop tests share: the programs, temporary folders, servers that stop by themselves."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import ssl
import subprocess
import tempfile
import time
import unittest

SOURCE_DIR = pathlib.Path(os.environ.get("TROTH_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BINARY_DIR = pathlib.Path(os.environ.get("TROTH_BINARY_DIR", SOURCE_DIR / "build" / "release"))
TROTH = os.environ.get("TROTH", str(BINARY_DIR / "troth"))
TOOLS_DIR = SOURCE_DIR / "build" / "tools" / "bin"


def tool(name):
    """The path of a program that a test needs, from build/tools/bin or the PATH. Skips the test by name without it."""
    own = TOOLS_DIR / name
    found = str(own) if own.exists() else shutil.which(name)
    if found is None:
        missing(name)
    return found


def missing(name):
    """Skips the running test because `name` is not installed; fails it where everything must be there."""
    if os.environ.get("TROTH_REQUIRE_TOOLS") == "1":
        raise AssertionError(f"{name} is not installed, and TROTH_REQUIRE_TOOLS=1")
    raise unittest.SkipTest(f"{name} is not installed")


def run(*argv, cwd=None, check=True, input=None, timeout=60, env=None):
    """Runs a program to its end. With `check`, an exit code other than 0 fails the test with what it printed."""
    done = subprocess.run([str(a) for a in argv], cwd=cwd, input=input, timeout=timeout, text=True,
                          capture_output=True, env={**os.environ, **(env or {})},
                          stdin=subprocess.DEVNULL if input is None else None)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def troth(*argv, **options):
    return run(TROTH, *argv, **options)


def openssl(*argv, **options):
    return run(tool("openssl"), *argv, **options)


class Server:
    """A program that prints a line with "listens on ADDRESS:PORT" and runs until it is stopped. Use it with `with`."""

    def __init__(self, *argv, cwd=None, env=None, timeout=20):
        self.argv = [str(a) for a in argv]
        self.cwd, self.env, self.timeout = cwd, env, timeout

    def __enter__(self):
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(self.argv, cwd=self.cwd, text=True, stdout=subprocess.PIPE,
                                        stderr=self.log, stdin=subprocess.DEVNULL,
                                        env={**os.environ, **(self.env or {})})
        deadline = time.monotonic() + self.timeout
        self.output = ""
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            line = self.process.stdout.readline() if ready else ""
            self.output += line
            found = re.search(r"listens on (\S+):(\d+)", line)
            if found:
                self.address, self.port = found.group(1), int(found.group(2))
                return self
            if not line:
                self.stop()
                raise AssertionError(f"{' '.join(self.argv)} did not start\n{self.output}{self.errors()}")

    def errors(self):
        """What it has printed on standard error so far."""
        self.log.seek(0)
        return self.log.read()

    def wait_for_log(self, pattern, timeout=10):
        """Waits until the log matches; returns the match."""
        deadline = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.errors())
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"the log never matched {pattern!r}:\n{self.errors()}")
            time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{' '.join(self.argv)} did not stop on SIGTERM")
        finally:
            self.process.stdout.close()
        return self.process.returncode

    def __exit__(self, *_):
        self.stop()
        self.log.close()


class Authority:
    """`troth serve` on free ports, with its state in `data`. Use it with `with`. `under`: a program that starts it, and its
    arguments."""

    def __init__(self, data, *flags, under=()):
        self.data, self.flags, self.under = data, flags, under

    def __enter__(self):
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            [*self.under, TROTH, "--json", "serve", "--data", str(self.data), "--listen", "127.0.0.1:0",
             "--grpc-listen", "127.0.0.1:0", *map(str, self.flags)],
            text=True, stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        if not line:
            self.__exit__()
            raise AssertionError(f"troth serve did not start: {self.errors}")
        started = json.loads(line)
        self.https, self.grpc, self.http = started["https"], started["grpc"], started["http"]
        self.fingerprint = started["root_fingerprint"]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("troth serve did not stop on SIGTERM")
        finally:
            self.process.stdout.close()
            self.log.seek(0)
            self.errors = self.log.read()  # what it logged
            self.log.close()

    def logged(self):
        """What it has logged so far."""
        return os.pread(self.log.fileno(), 1 << 30, 0).decode()

    def token(self, *names, flags=()):
        """The text of a new token for these names."""
        each = [flag for name in names for flag in ("--name", name)]
        return run(TROTH, "tokens", "create", "--data", self.data, *each, *flags).stdout.strip()

    def admin(self, folder):
        """Makes an admin; the stem of their files there, `.pem` (certificate and chain) and `.key`."""
        stem = pathlib.Path(folder) / "admin"
        name = "spiffe://troth.internal/troth/admin/alice"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", f"{stem}.key",
                "-out", f"{stem}.csr", "-subj", "/", "-addext", f"subjectAltName=URI:{name}")
        trust = ssl.create_default_context(cafile=pathlib.Path(self.data) / "root.pem")
        host, port = self.https.rsplit(":", 1)
        with contextlib.closing(http.client.HTTPSConnection(host, int(port), context=trust, timeout=20)) as connection:
            connection.request("POST", "/v1/certificates", json.dumps({"csr": pathlib.Path(f"{stem}.csr").read_text()}),
                               {"Content-Type": "application/json",
                                "Authorization": f"Bearer {self.token(name, flags=('--profile', 'admin'))}"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
        assert answer.status == 201, body
        pathlib.Path(f"{stem}.pem").write_text(body["certificate"] + body["chain"])
        return stem


class TestCase(unittest.TestCase):
    """A test with a temporary folder, `self.folder`, that goes with it."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="troth-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
