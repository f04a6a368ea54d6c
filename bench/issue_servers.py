"""The authorities that bench/issue.py measures, each as `with` starts and stops it, and how bench/issue_load reaches it."""

import base64
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

from caramel_testing import VENV, Original, caramel_program, free_port
from troth_testing import Authority, openssl, run

PEERS = pathlib.Path(__file__).resolve().parents[1] / "build" / "bench" / "tools"


class Measured:
    """A server with a name, the key types that it can certify, and its processes."""

    plain = False  # HTTP without TLS
    key_types = ("p256", "rsa2048")
    always_up = True  # while others are measured; otherwise it is started for each measurement

    def processes(self):
        """Those whose CPU time and memory are the server's."""
        return [self.process.pid]

    def peak_bytes(self):
        """The most memory that was resident since the start, in all processes together."""
        return sum(peak_bytes(pid) for pid in self.processes())

    def load_flags(self):
        return []


def peak_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.split("\n") if line.startswith("VmHWM")) * 1024


class Troth(Measured):
    """`troth serve`. A store of `stored` certificates is made once, by bench/issue_fill. A large one is used where it lies, and grows a
    little with every measurement; of a small one each measurement has its own copy."""

    protocol = "troth"
    FEW = 100_000

    def __init__(self, binaries, cache, folder, stored):
        self.stored, self.folder, self.starts = stored, folder, []
        self.always_up = stored > self.FEW
        self.name = f"Troth, {amount(stored)} stored"
        self.filled = cache / f"authority-{stored}"
        if not self.filled.exists():
            self.fill(binaries)

    def fill(self, binaries):
        """Makes it under another name, so that what has this name is whole."""
        partial = self.filled.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        with Authority(partial):
            pass
        run(binaries / "bench" / "issue_fill", "--data", partial, "--count", self.stored, timeout=3600)
        partial.rename(self.filled)

    def __enter__(self):
        self.data = self.filled
        if not self.always_up:
            self.data = self.folder / f"troth-{self.stored}"
            shutil.rmtree(self.data, ignore_errors=True)
            shutil.copytree(self.filled, self.data)
        port = free_port()
        began = time.monotonic()
        self.authority = Authority(self.data, "--http-listen", f"127.0.0.1:{port}").__enter__()
        self.process = self.authority.process
        wait_for_health(port)
        self.starts.append(time.monotonic() - began)
        self.port = int(self.authority.https.rsplit(":", 1)[1])
        return self

    def __exit__(self, *_):
        self.authority.__exit__()

    def load_flags(self):
        token = self.folder / f"token-{self.stored}"  # a new one each time: an hour may be too short for all
        token.write_text(self.authority.token(flags=("--any-name", "--max-uses", 1_000_000)))
        return ["--secret-file", token]


def wait_for_health(port):
    """Until /healthz says 200."""
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise SystemExit("troth serve did not become healthy")
        time.sleep(0.0005)


def amount(count):
    """"10 k", "5 M" """
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:g} {letter}"
    return str(count)


class Caramel(Measured):
    """Caramel's original server, and the program of the same package that signs what is named by a UUID."""

    name, protocol, plain = "Caramel (original)", "caramel", True
    key_types = ("rsa2048",)  # it certifies no other keys
    PREFIX = "/C=SE/ST=Example/L=Example/O=Example/OU=Caramel"

    def __init__(self, folder):
        self.original = Original(folder / "caramel", tuple(part.split("=")[1] for part in self.PREFIX.split("/")[1:]))
        self.port = self.original.port

    def __enter__(self):
        self.original.__enter__()
        self.signing = subprocess.Popen([caramel_program("caramel_autosign"), self.original.settings],
                                        stdout=self.original.log, stderr=self.original.log, stdin=subprocess.DEVNULL,
                                        env={**os.environ, "PYTHONWARNINGS": "ignore"})
        return self

    def __exit__(self, *_):
        stop(self.signing)
        self.original.__exit__()

    def processes(self):
        return [self.original.process.pid, self.signing.pid]


class WithFiles(Measured):
    """A server with a P-256 CA made by openssl, and a log."""

    def make_ca(self, folder):
        self.folder = folder
        folder.mkdir()
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        authority = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        openssl("req", "-x509", *key, "-keyout", folder / "root.key", "-out", folder / "root.pem", "-days", "30",
                "-subj", "/CN=root", *authority)
        openssl("req", "-x509", *key, "-CA", folder / "root.pem", "-CAkey", folder / "root.key", "-days", "30",
                "-keyout", folder / "issuer.key", "-out", folder / "issuer.pem", "-subj", "/CN=issuer", *authority)
        self.port = free_port()

    def start(self, *argv):
        self.log = (self.folder / "log").open("w+")
        self.process = subprocess.Popen(list(map(str, argv)), stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if time.monotonic() > deadline or self.process.poll() is not None:
                stop(self.process)
                self.log.seek(0)
                raise SystemExit(f"{self.name} did not start:\n{self.log.read()}")
            time.sleep(0.02)

    def __exit__(self, *_):
        stop(self.process)
        self.log.close()


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class StepCa(WithFiles):
    """step-ca with its own database (Badger) and a provisioner with a P-256 key, as `step ca init` makes them."""

    name, protocol = "step-ca", "step-ca"
    program = PEERS / "step-ca"

    def __init__(self, folder):
        self.make_ca(folder / "step-ca")
        self.provisioner = self.folder / "provisioner.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.provisioner)
        public = self.folder / "provisioner.der"
        openssl("pkey", "-in", self.provisioner, "-pubout", "-outform", "DER", "-out", public)
        point = public.read_bytes()[-64:]
        der = self.folder / "root.der"
        openssl("x509", "-in", self.folder / "root.pem", "-outform", "DER", "-out", der)
        self.fingerprint = openssl("dgst", "-sha256", "-r", der).stdout.split()[0]
        (self.folder / "ca.json").write_text(json.dumps({
            "root": str(self.folder / "root.pem"), "crt": str(self.folder / "issuer.pem"), "key": str(self.folder / "issuer.key"),
            "address": f"127.0.0.1:{self.port}", "dnsNames": ["localhost"], "logger": {"format": "text"},
            "db": {"type": "badgerv2", "dataSource": str(self.folder / "db")},
            "authority": {"provisioners": [{"type": "JWK", "name": "bench", "key": {
                "use": "sig", "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "bench",
                "x": base64url(point[:32]), "y": base64url(point[32:])}}]}}))

    def __enter__(self):
        self.start(self.program, self.folder / "ca.json")
        return self

    def load_flags(self):
        return ["--secret-file", self.provisioner, "--provisioner", "bench", "--root-fingerprint", self.fingerprint]


class Cfssl(WithFiles):
    """cfssl serve with SQLite, the tables of its certdb/sqlite/migrations and its own settings."""

    name, protocol = "cfssl, SQLite", "cfssl"
    program = PEERS / "cfssl"

    TABLES = """
    CREATE TABLE certificates (
      serial_number blob NOT NULL, authority_key_identifier blob NOT NULL, ca_label blob, status blob NOT NULL, reason int,
      expiry timestamp, revoked_at timestamp, pem blob NOT NULL, issued_at timestamp, not_before timestamp, metadata text, sans text,
      common_name text, PRIMARY KEY(serial_number, authority_key_identifier));
    CREATE TABLE ocsp_responses (
      serial_number blob NOT NULL, authority_key_identifier blob NOT NULL, body blob NOT NULL, expiry timestamp,
      PRIMARY KEY(serial_number, authority_key_identifier),
      FOREIGN KEY(serial_number, authority_key_identifier)
        REFERENCES certificates(serial_number, authority_key_identifier));
    """

    def __init__(self, folder):
        self.make_ca(folder / "cfssl")
        self.key, self.certificate = self.folder / "server.key", self.folder / "server.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-CA", self.folder / "issuer.pem", "-CAkey", self.folder / "issuer.key", "-keyout", self.key, "-out", self.certificate,
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        with sqlite3.connect(self.folder / "certs.db") as database:
            database.executescript(self.TABLES)
        database.close()
        (self.folder / "db.json").write_text(json.dumps(
            {"driver": "sqlite3", "data_source": str(self.folder / "certs.db")}))
        (self.folder / "config.json").write_text(json.dumps({"signing": {"default": {
            "expiry": "720h", "usages": ["signing", "server auth", "client auth"]}}}))

    def __enter__(self):
        self.start(self.program, "serve", "-address", "127.0.0.1", "-port", self.port, "-ca", self.folder / "issuer.pem",
                   "-ca-key", self.folder / "issuer.key", "-config", self.folder / "config.json",
                   "-db-config", self.folder / "db.json", "-tls-cert", self.certificate, "-tls-key", self.key)
        return self


def peers(folder):
    """(servers that can be measured, [why another is left out])"""
    found, missing = [], []
    for kind, program in ((StepCa, StepCa.program), (Cfssl, Cfssl.program), (Caramel, VENV / "caramel_autosign")):
        if program.exists():
            found.append(kind(folder))
        else:
            missing.append(kind.name)
    return found, missing
