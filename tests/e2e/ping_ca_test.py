"""`troth ping` and `troth pong` with --ca: no files, certificates from a running authority."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from troth_testing import BINARY_DIR, TROTH, Authority, Server, TestCase, run, troth

NO_TOKEN = {"TROTH_TOKEN": ""}
# Lives for some seconds, so that its renewals can be seen.
BRIEF = """[profiles.brief]
default_lifetime = "12s"
max_lifetime     = "12s"
names            = { dns = ["*.example", "localhost"] }
"""


class PingWithAuthority(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = pathlib.Path(tempfile.mkdtemp(prefix="troth-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.data, ignore_errors=True)
        (cls.data / "profiles.toml").write_text(BRIEF)
        cls.authority = Authority(cls.data, "--http-listen", "127.0.0.1:0").__enter__()
        cls.addClassCleanup(cls.authority.__exit__)

    def token(self, *names, flags=()):
        return {"TROTH_TOKEN": self.authority.token(*names, flags=flags)}

    def pong(self, *flags, env=None):
        return Server(TROTH, "pong", "--listen", "127.0.0.1:0", "--ca", self.authority.https, *flags,
                      env=env or self.token("localhost"))

    def ping(self, server, name, *flags, env=None, check=True, **options):
        return troth("ping", f"localhost:{server.port}", "--ca", self.authority.https, "--name", name, "-d", "1", *flags,
                     env=env or self.token(name), check=check, **options)

    def revoke(self, name):
        troth("certificates", "revoke", name, "--data", self.data)

    def start_ping(self, server, name, *flags, env=None):
        """A ping that goes on until it is stopped."""
        argv = [TROTH, "ping", f"localhost:{server.port}", "--ca", self.authority.https, "--name", name,
                "-l", "0", "-d", "20", *flags]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **(env or self.token(name))})
        self.addCleanup(self.end, process)
        for _ in range(4):
            process.stdout.readline()
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    def goes_unanswered(self, process):
        """Waits for a ping that is refused, ends the process, and answers what it printed on standard error."""
        while not process.stdout.readline().startswith("no answer:"):
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        return errors

    def test_both_sides_enrol_and_no_file_is_left(self):
        with self.pong() as server:
            done = run(TROTH, "ping", f"localhost:{server.port}", "--ca", self.authority.https, "--name", "app1.example",
                       "-l", "3", "-d", "1", env=self.token("app1.example"), cwd=self.folder)
            self.assertRegex(done.stdout, r"(?m)^3 transmitted, 3 received, 0% loss")
            self.assertIn("(mutual TLS)", done.stdout)
            self.assertEqual(done.stderr, "")
        self.assertEqual(list(self.folder.iterdir()), [])
        listed = troth("certificates", "list", "--data", self.data).stdout
        self.assertIn("app1.example", listed)

    def test_the_token_from_a_file_and_standard_input(self):
        token = self.folder / "token"
        token.write_text(self.authority.token("localhost") + "\n")
        with self.pong("--token-file", token, env=NO_TOKEN) as server:
            text = self.authority.token("app2.example")
            done = self.ping(server, "app2.example", "-l", "1", "--token-file", "-", env=NO_TOKEN, input=text + "\n")
            self.assertNotIn(text, done.stdout + done.stderr)

    def test_other_names_of_the_server(self):
        with self.pong("--name", "db1.example", "--name", "127.0.0.1",
                       env=self.token("db1.example", "127.0.0.1")) as server:
            self.ping(server, "app3.example", "-l", "1", "--server-name", "db1.example")
            self.ping(server, "app4.example", "-l", "1", "--server-name", "127.0.0.1")
            done = self.ping(server, "app5.example", "-l", "1", check=False)
            self.assertIn("[name_mismatch]", done.stderr)

    def test_the_policy_knows_clients_by_what_was_enrolled(self):
        policy = self.folder / "policy.toml"
        policy.write_text('[roles]\napp = { dns = "app6.example" }\n'
                          '[[rules]]\nmethods = ["/echo.SecurePing/*"]\nallow = ["app"]\n')
        with self.pong("--policy", policy, "--verification", "first-call") as server:
            self.ping(server, "app6.example", "-l", "1")
            done = self.ping(server, "app7.example", "-l", "1", check=False)
            self.assertIn("[role_not_allowed]", done.stderr)
            self.assertEqual(done.returncode, 77)

    def test_both_renew_themselves_while_they_run(self):
        brief = ["--profile", "brief"]
        with self.pong(env=self.token("localhost", flags=brief)) as server:
            process = self.start_ping(server, "app8.example", "-v", env=self.token("app8.example", flags=brief))
            server.wait_for_log("identity renewed", timeout=20)
            while "identity renewed" not in process.stderr.readline():
                self.assertIsNone(process.poll())
            self.ping(server, "app9.example", "-l", "1")  # with a new connection
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=10)
            self.assertEqual(process.returncode, 0, rest)
            self.assertRegex(rest, r"(?m) 0% loss")

    def test_a_revoked_client_is_out_at_its_next_call(self):
        with self.pong("--crl", self.data / "crl", "--verification", "first-call") as server:
            process = self.start_ping(server, "mallory.example")
            self.revoke("mallory.example")
            errors = self.goes_unanswered(process)
            self.assertIn("[certificate_revoked]", errors)
            self.assertEqual(process.returncode, 65, errors)
            self.ping(server, "app10.example", "-l", "1")

    def test_the_authority_refuses_a_revoked_clients_renewal(self):
        with self.pong() as server:
            process = self.start_ping(server, "trudy.example", "-v",
                                      env=self.token("trudy.example", flags=["--profile", "brief"]))
            self.revoke("trudy.example")
            line = ""
            while "identity could not be renewed" not in line:
                line = process.stderr.readline()
                self.assertNotEqual(line, "")
            self.assertIn("certificate_revoked", line)
            # Without the list pong knows nothing of it, until the certificate has expired.
            self.assertIn("[certificate_expired]", self.goes_unanswered(process))

    def test_refusals_of_the_authority(self):
        with self.pong() as server:
            done = self.ping(server, "other.example", env=self.token("app11.example"), check=False)
            self.assertIn("[name_not_permitted]", done.stderr)
            used = self.token("app12.example")
            self.ping(server, "app12.example", "-l", "1", env=used)
            done = self.ping(server, "app12.example", "-l", "1", env=used, check=False)
            self.assertRegex(done.stderr, r"\[token_\w+\]")

    def test_interrupt_ends_the_wait_for_an_authority(self):
        process = subprocess.Popen([TROTH, "pong", "--ca", "127.0.0.1:1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env={**os.environ, **self.token("localhost")})
        with self.assertRaises(subprocess.TimeoutExpired):
            process.communicate(timeout=0.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=5)
        self.assertGreater(process.returncode, 0)  # by itself, not by the signal

    def test_usage(self):
        ca = ["--ca", "127.0.0.1:1"]
        for words, argv in (
                (r"--token-file", ["ping", "localhost", *ca]),
                (r"TROTH_TOKEN", ["pong", *ca]),
                (r"--certificate", ["pong", *ca, "--certificate", "x"]),
                (r"--trust-bundle", ["ping", "localhost", *ca, "--trust-bundle", "x"]),
                (r"--mode mutual", ["ping", "localhost", *ca, "--mode", "tls"]),
                (r"--mode", ["pong", *ca, "--mode", "insecure"]),
                (r"--ca HOST:PORT", ["ping", "localhost", "--token-file", "x", "--mode", "tls", "--trust-bundle", "x"]),
                (r"--ca HOST:PORT", ["pong", "--name", "x", "--certificate", "x", "--private-key", "x",
                                     "--trust-bundle", "x"])):
            with self.subTest(argv=argv):
                done = troth(*argv, check=False, timeout=20, env=NO_TOKEN)
                self.assertEqual(done.returncode, 64, done.stderr)
                self.assertRegex(done.stderr, words)

    def test_the_example_programs(self):
        serve, echo = BINARY_DIR / "examples/sping/sping_serve", BINARY_DIR / "examples/sping/sping_echo"
        if not serve.exists():
            self.skipTest("the examples are not built")
        process = subprocess.Popen([serve, "--ca", self.authority.https, "localhost", "127.0.0.1:0"], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.token("localhost"))
        self.addCleanup(self.end, process)
        port = re.search(r"port (\d+)", process.stdout.readline()).group(1)
        done = run(echo, f"localhost:{port}", "--ca", self.authority.https, "echo.example", "2",
                   env=self.token("echo.example"))
        self.assertIn("2 received", done.stdout)


if __name__ == "__main__":
    unittest.main()
