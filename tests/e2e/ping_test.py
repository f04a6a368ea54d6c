"""`troth ping` and `troth pong` as a user runs them: what they print, how they end, how they follow changed files."""

import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from troth_testing import TROTH, Server, TestCase, openssl, run, troth

REPLY = re.compile(r"pong from localhost:\d+: seq=(\d+) time=(\d+\.\d{3}) ms")


class Ping(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="troth-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        troth("certs", "generate", "--out", cls.made / "certs", "--key-type", "p256")
        certs = cls.made / "certs"
        cls.bundle = ["--trust-bundle", certs / "ca/ca.pem"]
        cls.server_files = ["--certificate", certs / "server/server.pem", "--private-key", certs / "server/server.key"]
        cls.client = ["--certificate", certs / "client/client.pem", "--private-key", certs / "client/client.key",
                      *cls.bundle]
        cls.aggregator = ["--certificate", certs / "aggregator/aggregator.pem",
                          "--private-key", certs / "aggregator/aggregator.key", *cls.bundle]

    def pong(self, *flags, mode="mutual"):
        files = {"insecure": [], "tls": self.server_files, "mutual": [*self.server_files, *self.bundle]}[mode]
        return Server(TROTH, "pong", "--listen", "127.0.0.1:0", "--mode", mode, *files, *flags)

    def ping(self, server, *flags, check=True):
        return troth("ping", f"localhost:{server.port}", "-d", "1", *flags, check=check)

    def refused(self, server, reason, code, *flags):
        done = self.ping(server, *flags, check=False)
        self.assertIn(f"[{reason}]", done.stderr, done.stdout)
        self.assertRegex(done.stderr, r"(?m)^  fix: .{8,}")
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertLessEqual(len(done.stderr.splitlines()), 3, done.stderr)

    def test_prints_a_line_a_ping_and_a_summary(self):
        with self.pong() as server:
            done = self.ping(server, *self.client, "-l", "5")
            self.assertEqual([n for n, _ in REPLY.findall(done.stdout)], list("12345"))
            self.assertRegex(done.stdout, rf"(?m)^PING localhost:{server.port} \(mutual TLS\)$")
            self.assertRegex(done.stdout, rf"(?m)^--- localhost:{server.port} ping statistics ---$")
            self.assertRegex(done.stdout, r"(?m)^5 transmitted, 5 received, 0% loss, time \d+ ms$")
            self.assertRegex(done.stdout, r"(?m)^rtt min/avg/max/mdev = (\d+\.\d{3}/){3}\d+\.\d{3} ms$")
            self.assertEqual(done.stderr, "")

    def test_quiet_prints_the_summary_only(self):
        with self.pong() as server:
            done = self.ping(server, *self.client, "-l", "2", "-q")
            self.assertNotIn("pong from", done.stdout)
            self.assertEqual(len(done.stdout.splitlines()), 3)

    def test_the_server_says_what_it_is(self):
        with self.pong() as server:
            server.stop()
            rest = server.output
        self.assertIn("mutual TLS, client certificates: require", rest)

    def test_each_mode(self):
        for mode, flags in (("insecure", []), ("tls", self.bundle), ("mutual", self.client)):
            with self.subTest(mode=mode), self.pong(mode=mode) as server:
                self.ping(server, "--mode", mode, *flags, "-l", "2")

    def test_the_server_name(self):
        with self.pong() as server:
            self.refused(server, "name_mismatch", 65, *self.client, "--server-name", "elsewhere")
            self.ping(server, *self.client, "--server-name", "127.0.0.1", "-l", "1")
            text = openssl("x509", "-in", self.made / "certs/server/server.pem", "-noout", "-fingerprint", "-sha256")
            pin = text.stdout.split("=")[1].strip()
            self.ping(server, *self.client,
                      "--server-name", f"sha256:{pin}", "-l", "1")

    def test_refusals(self):
        policy = self.folder / "policy.toml"
        policy.write_text(f'[roles]\nclient = {{ certificate = "{self.made}/certs/client/client.pem" }}\n'
                          '[[rules]]\nmethods = ["/echo.SecurePing/Echo"]\nallow = ["client"]\n')
        with self.pong("--policy", policy, "--verification", "first-call") as server:
            self.ping(server, *self.client, "-l", "1")
            self.refused(server, "role_not_allowed", 77, *self.aggregator)
            self.refused(server, "peer_not_authenticated", 77, "--mode", "tls", *self.bundle)
            self.refused(server, "handshake_failed", 69, "--mode", "insecure")

    def test_nothing_listens(self):
        done = troth("ping", "localhost:1", *self.client, "-l", "2", "-d", "1", check=False)
        self.assertEqual(done.returncode, 69)
        self.assertIn("[connection_failed]", done.stderr)
        self.assertIn("2 transmitted, 0 received, 100% loss", done.stdout)

    def test_usage(self):
        for words, argv in (
                (r"--certificate", ["ping", "localhost", *self.bundle]),
                (r"--trust-bundle", ["ping", "localhost", "--mode", "tls"]),
                (r"no HOST\[:PORT\]", ["ping", "localhost:port", *self.client]),
                (r"no HOST\[:PORT\]", ["ping", "localhost:0", *self.client]),
                (r"--mode", ["ping", "localhost", "--mode", "insecure", *self.client]),
                (r"--server-name", ["ping", "localhost", "--mode", "insecure", "--server-name", "x"]),
                (r"--trust-bundle", ["pong", *self.server_files]),
                (r"--certificate", ["pong", "--mode", "tls"]),
                (r"--policy", ["pong", "--mode", "insecure", "--policy", "x"]),
                (r"--mode mutual", ["pong", "--mode", "tls", *self.server_files, "--client-certificate", "require"]),
                (r"--client-certificate", ["pong", "--client-certificate", "sometimes"]),
                (r"ADDRESS:PORT", ["pong", "--listen", "nowhere"])):
            with self.subTest(argv=argv):
                done = troth(*argv, check=False, timeout=20)
                self.assertEqual(done.returncode, 64, done.stderr)
                self.assertRegex(done.stderr, words)

    def test_a_taken_port(self):
        with self.pong() as server:
            done = troth("pong", "--listen", f"127.0.0.1:{server.port}", *self.server_files, *self.bundle, check=False)
            self.assertEqual(done.returncode, 69)
            self.assertIn("[connection_failed]", done.stderr)

    def test_interrupt_prints_the_summary(self):
        with self.pong() as server:
            process = subprocess.Popen([TROTH, "ping", f"localhost:{server.port}", "-l", "0", "-d", "20",
                                        *map(str, self.client)], stdout=subprocess.PIPE, text=True)
            for _ in range(4):
                process.stdout.readline()
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=10)
            self.assertEqual(process.returncode, 0)
            self.assertRegex(rest, r"(?m)^\d+ transmitted, \d+ received, 0% loss")

    def test_interrupt_ends_a_wait_for_an_answer(self):
        import socket
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            process = subprocess.Popen([TROTH, "ping", f"127.0.0.1:{deaf.getsockname()[1]}", "--mode", "insecure"],
                                       stdout=subprocess.PIPE, text=True)
            process.stdout.readline()
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=10)
            self.assertLess(time.monotonic() - begin, 3)
            self.assertIn("0 transmitted", rest)

    def test_the_server_stops_on_either_signal(self):
        for sent in (signal.SIGINT, signal.SIGTERM):
            with self.pong() as server:
                self.ping(server, *self.client, "-l", "1")
                server.process.send_signal(sent)
                self.assertEqual(server.process.wait(timeout=10), 0)

    def test_some_lost(self):
        with self.pong() as server:
            process = subprocess.Popen([TROTH, "ping", f"localhost:{server.port}", "-l", "12", "-d", "50",
                                        *map(str, self.client)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(3):
                process.stdout.readline()
            server.stop()
            rest, errors = process.communicate(timeout=20)
            self.assertEqual(process.returncode, 1, errors)
            self.assertIn("no answer: seq=", rest)

    def test_new_files_count_without_a_restart(self):
        folder = self.folder / "certs"
        shutil.copytree(self.made / "certs", folder)
        server_files = ["--certificate", folder / "server/server.pem", "--private-key", folder / "server/server.key"]
        with Server(TROTH, "pong", "--listen", "127.0.0.1:0", *server_files, *self.bundle) as server:
            def shown():
                return run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-alpn", "h2",
                           check=False, input="").stdout
            before = shown()
            troth("certs", "generate", "--out", folder, "--renew", "server")
            deadline = time.monotonic() + 10
            while shown().split("-----END")[0] == before.split("-----END")[0]:
                self.assertLess(time.monotonic(), deadline, server.errors())
                time.sleep(0.05)
            self.ping(server, *self.client, "-l", "1")

    def test_json(self):
        import json
        with self.pong() as server:
            done = troth("--json", "ping", f"localhost:{server.port}", *self.client, "-l", "2", "-d", "1")
            result = json.loads(done.stdout)
            self.assertEqual((result["transmitted"], result["received"]), (2, 2))


if __name__ == "__main__":
    unittest.main()
