"""`troth ca import` of a real Caramel server: its clients notice nothing, and its operator goes on where it stopped."""

import hashlib
import json
import time
import unittest

from caramel_testing import Original, Requests, Troth, certificate_facts
from troth_testing import TestCase, openssl, troth


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


class CaramelImportTest(TestCase):
    def setUp(self):
        super().setUp()
        self.original = Original(self.folder / "original")
        self.maker = Requests(self.folder, self.original.subject)

    def take_over(self, **options):
        return json.loads(troth("--json", "ca", "import", "--data", self.folder / "troth", "--one-tier",
                                "--certificate", self.original.certificate, "--private-key", self.original.key,
                                "--caramel-database", self.original.database, **options).stdout)

    def test_requests_and_certificates_go_on(self):
        signed = self.maker.make("signed", key=("rsa:2048",))
        large = self.maker.make("large", key=("rsa:4096",))  # signed with SHA-512
        space = self.maker.make("Alice Example", key=("rsa:2048",))  # "DNS:Alice Example"
        weak = self.maker.make("weak", key=("rsa:1024",))
        waiting = self.maker.make("waiting")
        rejected = self.maker.make("rejected", key=("rsa:2048",))
        ended = self.maker.make("ended", key=("rsa:2048",))
        bodies = (signed, large, space, weak, waiting, rejected, ended)
        with self.original as original:
            for body in bodies:
                self.assertEqual(original.post(body).status, 202)
            for body in (signed, signed, large, space, rejected):
                original.sign(body)
            original.reject(rejected)
            # Zero hours: it ends with the second in which it was made.
            original.tool("--life-short", "0", "--sign", original.number_of(ended))
            made_by = int(time.time())
            while int(time.time()) <= made_by:
                time.sleep(0.05)
            before = {body: original.get(body) for body in bodies}
        self.assertEqual([before[body].status for body in bodies], [200, 200, 200, 202, 202, 403, 202])

        names = dict(zip(bodies, ("signed", "large", "space", "weak", "waiting", "rejected", "ended")))
        files = digests(self.original.folder)
        taken = self.take_over()
        self.assertEqual({key: taken[key] for key in ("requests", "pending", "approved", "rejected", "left_out")},
                         {"requests": 6, "pending": 1, "approved": 4, "rejected": 1, "left_out": 1})
        self.assertEqual(taken["certificates"], 6)
        self.assertIn("weak", taken["left_out_why"][0])
        self.assertIn("key_too_weak", taken["left_out_why"][0])
        again = self.take_over()
        self.assertEqual([again[key] for key in ("requests", "certificates", "changed")], [0, 0, 0])
        self.assertEqual(digests(self.original.folder), files)

        with Troth(self.folder / "troth") as ours:
            for body in bodies:
                if body == weak:
                    self.assertEqual(ours.get(body).status, 404)
                    continue
                self.assertEqual(ours.get(body).status, before[body].status, names[body])
                if before[body].status == 200:
                    self.assertEqual(ours.get(body).body, before[body].body)
            self.assertEqual(ours.send("GET", "/root.crt").body, self.original.certificate.read_text())
            self.assertEqual({request["name"]: request["state"] for request in ours.requests()},
                             {"signed": "approved", "large": "approved", "Alice Example": "approved", "ended": "approved",
                              "waiting": "pending", "rejected": "rejected"})

            # The operator goes on: what waits is signed, what has a certificate gets a new one.
            ours.sign(waiting)
            self.assertEqual(ours.get(waiting).status, 200)
            refreshed = ours.operate("refresh")
            self.assertEqual((refreshed["refused"], refreshed["done"]), (0, 5))
            for body in (signed, large, ended):
                answer = ours.get(body)
                self.assertEqual(answer.status, 200)
                self.assertNotEqual(answer.body, before[body].body)
                new = self.folder / "new.pem"
                new.write_text(answer.body)
                openssl("verify", "-CAfile", self.original.certificate, new)
            old = certificate_facts(before[signed].body, self.folder)
            self.assertEqual(certificate_facts(ours.get(signed).body, self.folder), old)
            self.assertEqual(ours.get(rejected).status, 403)
            serial = openssl("x509", "-noout", "-serial", input=before[large].body).stdout.strip().split("=")[1].lower()
            revoked = ours.operate("certificates", "revoke", serial)
            self.assertEqual(revoked["certificates"][0]["serial"].lower().lstrip("0"), serial.lstrip("0"))
            self.assertEqual(ours.get(large).status, 403)
        troth("ledger", "verify", "--data", self.folder / "troth")

    def test_a_server_that_still_runs_is_followed(self):
        first, second = self.maker.make("first", key=("rsa:2048",)), self.maker.make("second", key=("rsa:2048",))
        with self.original as original:
            original.post(first)
            self.assertEqual(self.take_over()["pending"], 1)
            original.sign(first)
            original.post(second)
            taken = self.take_over()
            self.assertEqual([taken[key] for key in ("requests", "changed", "certificates")], [1, 1, 1])

    def test_an_authority_that_runs_is_left_alone(self):
        self.take_over()
        with Troth(self.folder / "troth"):
            done = troth("ca", "import", "--data", self.folder / "troth", "--one-tier", "--certificate",
                         self.original.certificate, "--private-key", self.original.key, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("file_locked", done.stderr)


if __name__ == "__main__":
    unittest.main()
