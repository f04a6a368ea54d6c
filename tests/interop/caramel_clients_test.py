"""Unmodified Caramel clients against `troth serve --one-tier`, each from a new key to a renewed certificate."""

import os
import shutil
import subprocess
import time
import unittest
import uuid

from caramel_testing import Troth, caramel_program, hash_of
from troth_testing import TestCase, openssl, run, tool


class CaramelClientsTest(TestCase):
    def setUp(self):
        super().setUp()
        self.work = self.folder / "client"
        self.work.mkdir()
        # What machines set for the world outside: a proxy, and CAs that Python's clients take in place of those they were told.
        self.env = {**{name: value for name, value in os.environ.items() if not name.endswith("_CA_BUNDLE")},
                    "NO_PROXY": "localhost", "no_proxy": "localhost"}

    def serve(self, *flags):
        server = self.enterContext(Troth(self.folder / "troth", *flags))
        # Clients that trust the CA alone have its certificate from elsewhere.
        self.authority = self.work / f"{server.name}.cacert"
        shutil.copy(server.root, self.authority)
        return server

    def start(self, *argv):
        process = subprocess.Popen([str(a) for a in argv], cwd=self.work, env=self.env, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process

    def finish(self, process, timeout=60):
        said, _ = process.communicate(timeout=timeout)
        self.assertEqual(process.returncode, 0, said)

    def wait_for_request(self, server, name, process=None):
        """The request with this name, once it waits at the server."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for request in server.requests("pending"):
                if request["name"] == name:
                    return request
            if process is not None and process.poll() is not None:
                self.fail(process.stdout.read())
            time.sleep(0.1)
        self.fail(f"{name} never asked")

    def serial(self, name):
        certificate = self.work / f"{name}.crt"
        openssl("verify", "-CAfile", self.authority, "-purpose", "sslclient", certificate)
        # The first certificate in the file: the Rust client writes over what was longer, and leaves its end.
        return openssl("x509", "-in", certificate, "-noout", "-serial").stdout

    def from_key_to_renewed_certificate(self, *argv):
        server, name = self.serve(), "client-7.example.org"
        command = [*argv, server.name, name]
        process = self.start(*command)
        request = self.wait_for_request(server, name, process)
        body = (self.work / f"{name}.csr").read_bytes()
        self.assertEqual(request["sha256"], hash_of(body))
        self.assertEqual(server.operate("requests", "show", name)["sha256"], hash_of(body))
        server.operate("requests", "approve", name)
        self.finish(process)
        first = self.serial(name)

        self.finish(self.start(*command))
        self.assertEqual(self.serial(name), first)
        self.assertEqual(server.operate("refresh")["done"], 1)
        self.finish(self.start(*command))
        self.assertNotEqual(self.serial(name), first)
        # The key is good for mutual TLS with the certificate.
        server.tls.load_cert_chain(self.work / f"{name}.crt", self.work / f"{name}.key")
        self.assertEqual(server.get(body).status, 200)
        return server, name, command

    def test_the_python_client(self):
        self.from_key_to_renewed_certificate(caramel_program("caramel-client"))

    def test_the_rust_client(self):
        server, name, command = self.from_key_to_renewed_certificate(tool("caramel-client-rs"))
        server.operate("requests", "reject", name, "--why", "a test")
        process = self.start(*command)
        said, _ = process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("Rejected", said)

    def test_both_clients_get_a_uuid_signed_at_once_but_not_a_known_name(self):
        server = self.serve("--sign-unseen-uuids")
        for program in (caramel_program("caramel-client"), tool("caramel-client-rs")):
            name = str(uuid.uuid4())
            self.finish(self.start(program, server.name, name))
            first = self.serial(name)
            # Somebody else comes with the same name.
            for path in self.work.glob(f"{name}.*"):
                path.unlink()
            other = self.start(program, server.name, name)
            request = self.wait_for_request(server, name, other)
            self.assertEqual(len(request["same_name_other_key"]), 1)
            other.kill()
            other.wait()
            self.assertFalse((self.work / f"{name}.crt").exists())
            self.assertTrue(first)

    def curl(self, *argv):
        """Runs curl as the shell client does, and answers the status."""
        return run(tool("curl"), "--silent", "--show-error", "--cacert", self.authority, "--write-out", "%{http_code}", *argv,
                   cwd=self.work, env=self.env).stdout

    def test_the_shell_clients_calls(self):
        server, name = self.serve(), "shell"
        subject = openssl("x509", "-in", self.authority, "-noout", "-subject", "-nameopt", "compat").stdout.strip()
        prefix = subject.split("subject=", 1)[1].strip().rsplit("/CN=", 1)[0]
        openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "shell.key", "-out", "shell.csr", "-subj",
                f"{prefix}/CN={name}", cwd=self.work)
        url = f"{server.base}/{hash_of((self.work / 'shell.csr').read_bytes())}"
        fetch = ("--remote-time", "--time-cond", "shell.crt", "--output", "shell.crt", url)
        self.assertEqual(self.curl("--output", "root", f"{server.base}/root.crt"), "200")
        self.assertEqual((self.work / "root").read_bytes(), self.authority.read_bytes())
        self.assertEqual(self.curl("--output", "answer", url), "404")
        self.assertEqual(self.curl("--output", "answer", "--data-binary", "@shell.csr", url), "202")
        self.assertEqual(self.curl("--output", "answer", "--data-binary", "@shell.csr", url), "400")
        self.assertEqual(self.curl("--output", "answer", url), "202")
        server.operate("requests", "approve", name)
        self.assertEqual(self.curl("--remote-time", "--output", "shell.crt", url), "200")
        first, modified = self.serial(name), (self.work / "shell.crt").stat().st_mtime

        # What it has is not sent again, and its file stays as it is.
        self.assertEqual(self.curl(*fetch), "304")
        self.assertEqual(self.serial(name), first)
        self.assertEqual((self.work / "shell.crt").stat().st_mtime, modified)
        # Last-Modified has whole seconds.
        while int(time.time()) <= modified:
            time.sleep(0.05)
        server.operate("refresh")
        self.assertEqual(self.curl(*fetch), "200")
        self.assertNotEqual(self.serial(name), first)
        self.assertEqual(self.curl(*fetch), "304")

    def test_a_client_in_a_rush_is_told_to_wait(self):
        server = self.serve()
        answers = []
        for number in range(22):
            subject = openssl("x509", "-in", self.authority, "-noout", "-subject", "-nameopt", "compat").stdout.strip()
            prefix = subject.split("subject=", 1)[1].strip().rsplit("/CN=", 1)[0]
            file = self.work / f"{number}.csr"
            openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    file.with_suffix(".key"), "-out", file, "-subj", f"{prefix}/CN=rush-{number}")
            answers.append(server.post(file.read_bytes()))
        self.assertEqual([answer.status for answer in answers], [202] * 20 + [429] * 2)
        self.assertIn("retry-after", answers[-1].fields)


if __name__ == "__main__":
    unittest.main()
