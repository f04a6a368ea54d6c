"""`troth certs generate` killed at any moment, and several of them at once: the tree is never lost."""

import pathlib
import random
import signal
import subprocess
import time
import unittest

from troth_testing import TROTH, TestCase, openssl, troth

LEAVES = ("server", "client", "aggregator")


class CertsCrashTest(TestCase):
    def setUp(self):
        super().setUp()
        self.certs = self.folder / "certs"
        self.random = random.Random(20261121)

    def start(self, *options):
        return subprocess.Popen([TROTH, "certs", "generate", "--out", str(self.certs), "--key-type", "p256", *options],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def run_and_kill(self, longest, *options):
        """Runs a command and kills it after at most `longest` seconds. True when it was killed."""
        process = self.start(*options)
        try:
            process.wait(timeout=self.random.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL

    def duration(self, *options):
        """How long a command takes that is left alone, measured by waiting for it."""
        begin = time.monotonic()
        self.assertEqual(self.start(*options).wait(), 0)
        return time.monotonic() - begin

    def assert_whole(self):
        bundle = self.certs / "ca/ca.pem"
        self.assertEqual(list(self.certs.rglob("*.next")), [])
        for leaf in LEAVES:
            folder = self.certs / leaf
            self.assertEqual((folder / "ca.pem").read_text(), bundle.read_text())
            openssl("verify", "-x509_strict", "-CAfile", folder / "ca.pem", folder / f"{leaf}.pem")
            self.assert_pair(folder / f"{leaf}.pem", folder / f"{leaf}.key")
        for path in self.certs.rglob("*.key*"):
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)

    def assert_pair(self, certificate, key):
        self.assertEqual(openssl("x509", "-in", certificate, "-noout", "-pubkey").stdout,
                         openssl("pkey", "-in", key, "-pubout").stdout)

    def assert_every_file_is_whole(self):
        """Whatever was killed: no reader ever sees a part of a file."""
        for path in self.certs.rglob("*"):
            if path.suffix in (".pem", ".key"):
                text = path.read_text()
                self.assertRegex(text, r"\A(-----BEGIN ([A-Z ]+)-----\n[A-Za-z0-9+/=\n]+-----END \2-----\n)+\Z", path)

    def test_a_killed_first_run_is_completed_by_the_next(self):
        longest = self.duration()
        killed = 0
        for attempt in range(25):
            self.certs = self.folder / f"certs{attempt}"
            killed += self.run_and_kill(longest)
            if self.certs.exists():
                self.assert_every_file_is_whole()
            keys = {path: path.read_bytes() for path in self.certs.rglob("*.key")}
            done = troth("certs", "generate", "--out", self.certs, "--key-type", "p256", check=False)
            self.assertIn(done.returncode, (0, 73), done.stderr)
            self.assertEqual({path: path.read_bytes() for path in keys}, keys)
            self.assert_whole()
        self.assertGreater(killed, 0)

    def test_a_killed_renewal_or_roll_over_leaves_a_tree_that_the_next_run_makes_whole(self):
        longest = self.duration()
        killed = 0
        for _ in range(40):
            killed += self.run_and_kill(longest, *self.random.choice(
                [("--renew", "all"), ("--renew", "client"), ("--roll-ca",), ("--drop-old",)]))
            self.assert_every_file_is_whole()
            # Any later command first carries out what was interrupted.
            troth("certs", "generate", "--out", self.certs, "--renew", "server")
            self.assert_whole()
        self.assertGreater(killed, 0)

    def test_concurrent_runs_take_turns(self):
        troth("certs", "generate", "--out", self.certs, "--key-type", "p256")
        commands = [("--renew", "all"), ("--renew", "client"), ("--roll-ca",), ("--renew", "aggregator"), ("--roll-ca",)]
        processes = [self.start(*command) for command in commands]
        self.assertEqual([process.wait() for process in processes], [0] * len(commands))
        self.assert_whole()

    def test_the_wrapper_script_passes_its_arguments_on(self):
        # With a stand-in for the program, so that nothing has to be built.
        top = self.folder / "top"
        source = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "generate_certs.sh"
        (top / "scripts").mkdir(parents=True)
        (top / "build/release").mkdir(parents=True)
        script = top / "scripts" / "generate_certs.sh"
        script.write_text(source.read_text())
        script.chmod(0o755)
        (top / "build/release/troth").symlink_to(TROTH)
        subprocess.run([script, "--key-type", "p256"], cwd=top, check=True, stdout=subprocess.DEVNULL)
        self.certs = top / "core/certs"
        self.assert_whole()


if __name__ == "__main__":
    unittest.main()
