"""`troth serve` on a disk that fills up: what was answered is kept, what cannot be kept is refused with the reason, and once
there is room it goes on by itself. The disk is a small tmpfs, in name spaces of the test's own."""

import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import unittest

from troth_testing import TROTH, Authority, TestCase, missing, openssl, run, troth

INSIDE = "TROTH_TEST_HAS_NAMESPACE"
DISK = 4 << 20
PATIENCE = 20  # seconds in which it notices that there is room


def name_space():
    """The command that gives a program a name space for mounts, or nothing where none is permitted."""
    for command in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        trial = [*command, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/tmp"]
        if shutil.which("unshare") and subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            return command
    return None


class DiskFullTest(TestCase):
    def setUp(self):
        super().setUp()
        if os.environ.get(INSIDE) != "1":
            missing("a name space for mounts (unshare --mount, as root or with --user)")
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", self.disk)
        self.addCleanup(run, "umount", "--lazy", self.disk)
        self.data = self.disk / "authority"

    def fill(self, leave=0):
        """Takes all the room that there is, but for so many bytes."""
        with open(self.disk / "filler", "ab", buffering=0) as filler:
            try:
                while filler.write(b"x" * 4096):
                    pass
            except OSError:
                pass
            filler.truncate(max(0, filler.seek(0, os.SEEK_END) - leave))

    def make_room(self):
        (self.disk / "filler").unlink()

    def call(self, method, path, body=None, token=None):
        fields = {"Content-Type": "application/json"}
        if token is not None:
            fields["Authorization"] = f"Bearer {token}"
        self.connection.request(method, path, None if body is None else json.dumps(body), fields)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text

    def connect(self, authority):
        context = ssl.create_default_context(cafile=self.data / "root.pem")
        stem = authority.admin(self.folder)
        context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
        host, port = authority.https.rsplit(":", 1)
        self.connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
        self.addCleanup(self.connection.close)

    def request(self):
        key, csr = self.folder / "a.key", self.folder / "a.csr"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", key, "-out", csr,
                "-subj", "/CN=a.internal", "-addext", "subjectAltName=DNS:a.internal")
        return csr.read_text()

    def token(self, uses):
        status, made = self.call("POST", "/v1/tokens", {"any_name": True, "max_uses": uses})
        self.assertEqual(status, 201, made)
        return made["token"]

    def check(self, held):
        """Everything that was answered is there, and the files are as they should be."""
        listed = json.loads(troth("certificates", "list", "--all", "--limit", "100000", "--json", "--data", self.data).stdout)
        self.assertEqual(set(held) - {each["serial"] for each in listed["certificates"]}, set())
        troth("store", "check", "--data", self.data)
        troth("ledger", "verify", "--data", self.data)

    def eventually(self, question, expected, what):
        deadline = time.monotonic() + PATIENCE
        while (got := question()) != expected:
            self.assertLess(time.monotonic(), deadline, f"{what}: {got}")
            time.sleep(0.05)

    def test_it_refuses_while_the_disk_is_full_and_goes_on_by_itself(self):
        with Authority(self.data, "--http-listen", "127.0.0.1:0") as authority:
            self.connect(authority)
            csr = self.request()
            held, waiting = {}, []

            def enrol(token):
                status, body = self.call("POST", "/v1/certificates", {"csr": csr}, token)
                if status == 201:
                    serial = openssl("x509", "-noout", "-serial", input=body["certificate"]).stdout.strip().partition("=")[2].lower()
                    held[serial] = body["certificate"]
                return status, body

            for _ in range(40):
                waiting.append(self.token(1))
            self.assertEqual(enrol(waiting.pop())[0], 201)
            victim = next(iter(held))

            self.fill(leave=65536)  # it fills up while it works
            while (answer := enrol(waiting[-1]))[0] == 201:
                waiting.pop()
                self.assertTrue(waiting, "the disk was never full")
            self.assertGreater(len(held), 1)
            self.assertEqual((answer[0], answer[1]["code"]), (503, "store_failed"), answer)
            self.assertRegex(answer[1]["detail"], "full.*room")
            self.fill()
            # The same for every kind of writing; reading goes on.
            for path, body, token in (("/v1/certificates", {"csr": csr}, waiting[-1]), ("/v1/tokens", {"any_name": True}, None),
                                      (f"/v1/certificates/{victim}/revoke", {}, None)):
                status, answer = self.call("POST", path, body, token)
                self.assertEqual((status, answer["code"]), (503, "store_failed"), (path, answer))
            self.assertEqual(self.call("GET", "/v1/trust-bundle")[0], 200)
            status, shown = self.call("GET", f"/v1/certificates/{victim}")
            self.assertEqual((status, shown["certificate"], shown.get("revoked_at")), (200, held[victim], None))
            status, health = self.call("GET", "/healthz")
            self.assertEqual((status, health["code"]), (503, "store_failed"), health)
            failed = troth("tokens", "create", "--name", "b.internal", "--data", self.data, check=False)
            self.assertNotEqual(failed.returncode, 0)
            self.assertIn("[store_failed]", failed.stderr)

            # Once there is room, without a restart and without anybody's doing.
            self.make_room()
            self.eventually(lambda: self.call("GET", "/healthz"), (200, "ok\n"), "it did not notice that there is room")
            for token in waiting:  # what was refused had used no token up
                status, body = enrol(token)
                self.assertEqual(status, 201, body)
            self.assertEqual(len(held), 40)
            self.assertEqual(self.call("POST", f"/v1/certificates/{victim}/revoke", {})[0], 200)
            self.check(held)
        self.assertEqual(authority.process.returncode, 0)
        self.assertIn("store_failed", authority.errors)
        with Authority(self.data):
            self.check(held)

    def test_a_server_that_is_killed_on_a_full_disk_starts_again(self):
        with Authority(self.data) as authority:
            self.connect(authority)
            csr, held = self.request(), []
            token = self.token(1)
            status, body = self.call("POST", "/v1/certificates", {"csr": csr}, token)
            self.assertEqual(status, 201)
            held.append(openssl("x509", "-noout", "-serial", input=body["certificate"]).stdout.strip().partition("=")[2].lower())
            self.fill()
            self.assertEqual(self.call("POST", "/v1/tokens", {"any_name": True})[0], 503)
            authority.process.kill()
            authority.process.wait()
        # Where there is no room it says so, and changes nothing; then it starts.
        before = sorted(path.name for path in self.data.iterdir())
        failed = self.start()
        self.assertNotEqual(failed.returncode, 0)
        self.assertRegex(failed.stderr, r"full|No space left")
        self.assertEqual(set(path.name for path in self.data.iterdir()) - set(before) - {"authority.db-shm", "authority.db-wal"}, set())
        self.make_room()
        with Authority(self.data):
            self.check(held)

    def start(self):
        return run(TROTH, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", check=False)

    def test_a_first_start_without_room_says_so_and_leaves_nothing_half_made(self):
        for leave in (0, 4096, 16384, 65536):
            with self.subTest(leave=leave):
                self.fill(leave)
                failed = self.start()
                self.assertNotEqual(failed.returncode, 0)
                self.assertRegex(failed.stderr, r"full|No space left")
                self.assertNotIn(" -----BEGIN", failed.stderr)
                self.make_room()
                # Whatever is there already is of use to the next start.
                with Authority(self.data) as authority:
                    authority.token("a.internal")
                troth("store", "check", "--data", self.data)
                shutil.rmtree(self.data)


if __name__ == "__main__":
    if os.environ.get(INSIDE) is None:
        command = name_space()
        if command is not None:
            os.environ[INSIDE] = "1"
            os.execvp(command[0], [*command, sys.executable, "-B", *sys.argv])
        os.environ[INSIDE] = "0"
    unittest.main()
