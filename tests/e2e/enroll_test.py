"""`troth enroll` as services and devices run it, against a running authority of either protocol."""

import fcntl
import json
import os
import pty
import random
import re
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time
import unittest
import uuid

from troth_testing import TROTH, TestCase, openssl, run, troth

QUIET = {"CARAMEL_CA": "", "CARAMEL_CN": "", "CARAMEL_CERT_DIR": "", "TROTH_TOKEN": ""}


class Authority:
    """`troth serve` on free ports."""

    def __init__(self, folder, *flags):
        self.data = folder
        self.flags = flags

    def __enter__(self):
        self.process = subprocess.Popen(
            [TROTH, "--json", "serve", "--data", str(self.data), "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0",
             *self.flags],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"troth serve did not start: {self.process.communicate()[1]}")
        started = json.loads(line)
        self.https = started["https"]
        self.fingerprint = started["root_fingerprint"]
        self.drain = threading.Thread(target=self.process.stderr.read, daemon=True)
        self.drain.start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.drain.join(timeout=5)
        self.process.stdout.close()
        self.process.stderr.close()

    def token(self, *names):
        flags = [flag for name in names for flag in ("--name", name)]
        return troth("tokens", "create", *flags, "--data", self.data).stdout.strip().splitlines()[-1]

    def requests(self, verb, *which):
        return troth("requests", verb, *which, "--data", self.data).stdout


class Enroll(TestCase):
    def enroll(self, *flags, check=None, env=None, **options):
        done = troth("enroll", *flags, check=False, cwd=self.folder, env={**QUIET, **(env or {})}, **options)
        if check is not None:
            self.assertEqual(done.returncode, check, done.stdout + done.stderr)
        return done

    def mode(self, name):
        return stat.S_IMODE((self.folder / name).stat().st_mode)

    def verify(self, certificate, bundle):
        openssl("verify", "-CAfile", bundle, "-untrusted", certificate, certificate, cwd=self.folder)

    def serial(self, certificate):
        return openssl("x509", "-noout", "-serial", "-in", certificate, cwd=self.folder).stdout

    def same_key(self, key, certificate):
        of_key = openssl("pkey", "-in", key, "-pubout", cwd=self.folder).stdout
        self.assertEqual(openssl("x509", "-in", certificate, "-noout", "-pubkey", cwd=self.folder).stdout, of_key)


class WithToken(Enroll):
    def setUp(self):
        super().setUp()
        authority = Authority(self.folder / "authority")
        self.authority = authority.__enter__()
        self.addCleanup(authority.__exit__)

    def test_a_token_needs_no_other_file_and_leaves_caramels_files(self):
        (self.folder / "token").write_text(self.authority.token("db1.example.com"))
        done = self.enroll(self.authority.https, "db1.example.com", "--token-file", "token", check=0)
        self.assertIn("enrolled", done.stdout)
        self.verify("db1.example.com.crt", f"{self.authority.https}.cacert")
        self.same_key("db1.example.com.key", "db1.example.com.crt")
        self.assertEqual(self.mode("db1.example.com.key"), 0o600)
        # The token is used up and not needed any more.
        done = self.enroll(self.authority.https, "db1.example.com", check=0)
        self.assertIn("unchanged", done.stdout)

    def test_a_token_from_standard_input_or_the_environment_never_shows(self):
        token = self.authority.token("db1", "db2")
        done = self.enroll(self.authority.https, "db1", "--token-file", "-", input=token + "\n", check=0)
        self.assertNotIn(token, done.stdout + done.stderr)
        token = self.authority.token("db2")
        done = self.enroll(self.authority.https, "db2", env={"TROTH_TOKEN": token}, check=0)
        self.assertNotIn(token, done.stdout + done.stderr)

    def test_a_token_is_good_for_its_name_only(self):
        done = self.enroll(self.authority.https, "db9", env={"TROTH_TOKEN": self.authority.token("db1")})
        self.assertIn("[name_not_permitted]", done.stderr)
        self.assertFalse((self.folder / "db9.crt").exists())

    def test_renews_with_the_current_certificate(self):
        out = ["--out", "device.pem", "--once"]
        self.enroll(self.authority.https, "db1", *out, env={"TROTH_TOKEN": self.authority.token("db1")}, check=0)
        first = self.serial("device.pem")
        done = self.enroll(self.authority.https, "db1", *out, check=0)
        self.assertIn("unchanged", done.stdout)
        self.enroll(self.authority.https, "db1", *out, "--renew-before", "300d", check=0)
        self.assertNotEqual(self.serial("device.pem"), first)
        self.verify("device.pem", f"{self.authority.https}.cacert")

    def test_a_revoked_device_starts_over_when_its_certificate_is_lost(self):
        token = self.authority.token("db1")
        self.enroll(self.authority.https, "db1", "--once", env={"TROTH_TOKEN": token}, check=0)
        troth("certificates", "revoke", "db1", "--data", self.authority.data)
        (self.folder / "db1.crt").unlink()
        key = (self.folder / "db1.key").read_bytes()
        done = self.enroll(self.authority.https, "db1", "--once", check=127)
        self.assertIn("[request_rejected]", done.stderr)
        self.enroll(self.authority.https, "db1", "--once", check=69)
        self.assertNotEqual((self.folder / "db1.key").read_bytes(), key)

    def test_a_json_authority_is_no_caramel_server(self):
        done = self.enroll(self.authority.https, "db1", "--caramel", "--fingerprint", self.authority.fingerprint, check=64)
        self.assertIn("--caramel", done.stderr)

    def test_another_authority_is_not_believed(self):
        with Authority(self.folder / "other") as other:
            done = self.enroll(self.authority.https, "db1", "--fingerprint", other.fingerprint)
            self.assertIn("[issuer_unknown]", done.stderr)
            troth("certs", "generate", "--out", self.folder / "tree")
            done = self.enroll(self.authority.https, "db1", "--once", "--trust-bundle", "tree/ca/ca.pem", check=127)
            self.assertIn("[issuer_unknown]", done.stderr)
            done = self.enroll(self.authority.https, "db1", "--system-trust")
            self.assertIn("[issuer_unknown]", done.stderr)
            self.assertFalse((self.folder / "db1.key").exists())
        done = self.enroll(self.authority.https, "db1", check=64)
        self.assertIn("fingerprint", done.stderr)


class ByAnOperator(Enroll):
    """Both protocols, by the same commands."""

    def both(self):
        for flags in ([], ["--one-tier"]):
            name = "caramel" if flags else "json"
            with self.subTest(name), Authority(self.folder / name, *flags) as authority:
                yield authority, ["--fingerprint", authority.fingerprint], name
            for left in self.folder.glob("*.*"):
                if left.is_file():
                    left.unlink()

    def digest(self, output):
        return re.search(r"SHA-256 of the request: ([0-9a-f]{64})", output).group(1)

    def test_once_never_waits(self):
        for authority, trust, protocol in self.both():
            flags = [authority.https, "pump-7", "--once", "--out", "device.pem", *trust]
            done = self.enroll(*flags, check=69)
            digest = self.digest(done.stdout)
            self.assertIn(digest, authority.requests("show", "pump-7"))
            # What the fingerprint vouched for is known from now on.
            pending = json.loads(troth("--json", "enroll", *flags[:-2], cwd=self.folder, check=False).stdout)
            self.assertEqual((pending["reason"], pending["request_sha256"], pending["client_id"], pending["server"]),
                             ("request_pending", digest, "pump-7", authority.https))
            self.enroll(authority.https, "pump-7", "--once", "--no-such-option", check=127)
            authority.requests("approve", "pump-7")
            done = troth("--json", "enroll", *flags, cwd=self.folder)
            result = json.loads(done.stdout)
            self.assertEqual((result["state"], result["protocol"]), ("issued", protocol))
            self.same_key("device.pem", "device.pem")
            before = (self.folder / "device.pem").stat()
            self.assertIn("unchanged", self.enroll(*flags, check=0).stdout)
            self.assertEqual((self.folder / "device.pem").stat().st_mtime_ns, before.st_mtime_ns)

    def test_rejected_it_starts_over(self):
        for authority, trust, _ in self.both():
            flags = [authority.https, "pump-7", "--once", *trust]
            first = self.digest(self.enroll(*flags, check=69).stdout)
            authority.requests("reject", first)
            done = self.enroll(*flags, check=127)
            self.assertIn("[request_rejected]", done.stderr)
            self.assertFalse((self.folder / "pump-7.key").exists())
            self.assertFalse((self.folder / "pump-7.csr").exists())
            self.assertNotEqual(self.digest(self.enroll(*flags, check=69).stdout), first)

    def test_waits_visibly_until_it_is_signed(self):
        for authority, trust, _ in self.both():
            master, terminal = pty.openpty()
            # RSA, for a Caramel server may not sign anything else, and that would be said.
            process = subprocess.Popen([TROTH, "enroll", authority.https, "pump-7", "--key-type", "rsa2048", *trust],
                                       cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=terminal)
            os.close(terminal)
            seen = ""
            while "asked 2 times" not in seen:
                seen += os.read(master, 4096).decode()
            self.assertIn("sign the request of pump-7", seen)
            self.assertNotIn("\n", seen)  # one line that is written over
            self.assertIn("\r\x1b[K", seen)
            authority.requests("approve", "pump-7")
            out, _ = process.communicate(timeout=60)
            os.close(master)
            self.assertEqual(process.returncode, 0, out)
            self.assertRegex(out, r"SHA-256 of the request: [0-9a-f]{64}\nenrolled: pump-7")
            self.same_key("pump-7.key", "pump-7.crt")

    def test_goes_on_after_ctrl_c_and_after_a_kill(self):
        for authority, trust, _ in self.both():
            digests = set()
            for number in (signal.SIGINT, signal.SIGKILL):
                process = subprocess.Popen([TROTH, "enroll", authority.https, "pump-7", *trust], cwd=self.folder, text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                digests.add(self.digest(process.stdout.readline()))
                process.send_signal(number)
                process.communicate(timeout=30)
                self.assertNotEqual(process.returncode, 0)
            self.assertEqual(len(digests), 1)
            authority.requests("approve", "pump-7")
            self.enroll(authority.https, "pump-7", *trust, check=0)


class CaramelAlone(Enroll):
    def test_an_unseen_uuid_is_signed_in_one_run(self):
        with Authority(self.folder / "caramel", "--one-tier", "--sign-unseen-uuids") as authority:
            name = str(uuid.uuid4())
            flags = [authority.https, name, "--once", "--caramel", "--fingerprint", authority.fingerprint]
            self.enroll(*flags, "--out", "phone.pem", check=0)
            self.verify("phone.pem", f"{authority.https}.cacert")
            # The request is lost, the certificate is valid: nobody has to wait.
            (self.folder / "phone.pem.csr").unlink()
            self.enroll(*flags, "--out", "phone.pem", check=0)
            # The name is taken: another key has to wait.
            self.enroll(*flags, "--out", "other.pem", check=69)

    def test_killed_at_any_moment_its_files_are_good(self):
        with Authority(self.folder / "caramel", "--one-tier", "--sign-unseen-uuids") as authority:
            chance = random.Random(20261121)
            flags = ["--once", "--caramel", "--fingerprint", authority.fingerprint]
            issued = 0
            for _ in range(25):
                name = str(uuid.uuid4())
                for _ in range(3):
                    process = subprocess.Popen([TROTH, "enroll", authority.https, name, *flags], cwd=self.folder,
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    time.sleep(chance.uniform(0, 0.08))
                    process.kill()
                    process.wait()
                    if (self.folder / f"{name}.crt").exists():
                        self.same_key(f"{name}.key", f"{name}.crt")
                self.enroll(authority.https, name, *flags, check=0)
                self.same_key(f"{name}.key", f"{name}.crt")
                issued += 1
            self.assertEqual(issued, 25)

    def test_the_locked_file_is_the_one_that_other_tools_see(self):
        with Authority(self.folder / "caramel", "--one-tier") as authority:
            flags = [authority.https, "00:1b:44:11:3a:b7", "--once", "--out", "device.pem", "--fingerprint", authority.fingerprint]
            with open(self.folder / "device.pem", "w") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                self.enroll(*flags, check=1)
            self.enroll(*flags, check=69)
            authority.requests("approve", "00:1b:44:11:3a:b7")
            self.enroll(*flags, check=0)
            self.same_key("device.pem", "device.pem")


class BadServers(Enroll):
    """What stands where an authority should be."""

    def listen(self, serve):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def tls(self, answer):
        """An HTTPS server with a certificate that is trusted here, which answers every request with these bytes."""
        if not (self.folder / "depot").exists():
            self.make_depot()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "depot/web.crt", self.folder / "depot/web.key")

        def serve(connection):
            try:
                with context.wrap_socket(connection, server_side=True) as stream:
                    while stream.recv(65536):
                        if answer is None:
                            time.sleep(60)
                        stream.sendall(answer)
            except OSError:
                pass

        return self.listen(serve)

    def make_depot(self):
        troth("ca", "init", "--common-name", "ca", "--passphrase", "", "--depot-path", "depot", cwd=self.folder)
        troth("ca", "request-cert", "--common-name", "web", "-ip", "127.0.0.1", "--passphrase", "", "--depot-path", "depot",
              cwd=self.folder)
        troth("ca", "sign", "web", "--CA", "ca", "--depot-path", "depot", cwd=self.folder)

    def once(self, server):
        started = time.monotonic()
        done = self.enroll(server, "pump-7", "--once", "--timeout", "2s", "--trust-bundle", "depot/ca.crt", check=127)
        self.assertLess(time.monotonic() - started, 10)
        self.assertFalse((self.folder / "pump-7.crt").exists())
        return re.search(r"\[(\w+)\]", done.stderr).group(1)

    def test_nonsense_is_not_believed(self):
        def http(status, body, *fields):
            head = "\r\n".join([f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *fields])
            return f"{head}\r\n\r\n".encode() + body

        table = {
            "redirect": (http(302, b"", "Location: https://example.com/"), "response_malformed"),
            "failure": (http(500, b"<html>"), "connection_failed"),
            "web site": (http(200, b"<html>hello</html>"), "response_malformed"),
            "huge": (http(200, b"x" * 5_000_000), None),
            "endless header": (b"HTTP/1.1 200 X\r\n" + b"A: b\r\n" * 200_000, None),
            "not HTTP": (b"220 smtp ready\r\n", None),
            "nothing": (None, "connection_failed"),
        }
        for name, (answer, reason) in table.items():
            with self.subTest(name):
                got = self.once(self.tls(answer))
                if reason is not None:
                    self.assertEqual(got, reason)

    def test_silence_ends_in_time(self):
        (self.folder / "depot").mkdir()
        troth("certs", "generate", "--out", self.folder / "tree")
        (self.folder / "depot/ca.crt").write_bytes((self.folder / "tree/ca/ca.pem").read_bytes())
        self.once(self.listen(lambda connection: time.sleep(60)))
        self.once(self.listen(lambda connection: connection.close()))
        self.once(self.listen(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")))
        with socket.create_server(("127.0.0.1", 0)) as closed:
            address = f"127.0.0.1:{closed.getsockname()[1]}"
        self.assertEqual(self.once(address), "connection_failed")


if __name__ == "__main__":
    unittest.main()
