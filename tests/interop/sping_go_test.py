"""Secure ping with a program in Go (gRPC-Go) at the other end: our server with its client, our client with its server."""

import pathlib
import shutil
import tempfile
import unittest

from troth_testing import SOURCE_DIR, TOOLS_DIR, TROTH, Server, TestCase, missing, run, troth

GO_SPING = TOOLS_DIR / "go-sping"


class SpingGo(TestCase):
    @classmethod
    def setUpClass(cls):
        if shutil.which("go") is not None:
            run(SOURCE_DIR / "tests/interop/go-sping/build.sh", timeout=250)
        elif not GO_SPING.exists():
            missing("go")
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="troth-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        for tree in ("certs", "foreign"):
            troth("certs", "generate", "--out", cls.made / tree, "--key-type", "p256")
        certs = cls.made / "certs"
        (cls.made / "pin.toml").write_text(
            f'[roles]\nclient = {{ certificate = "{certs}/client/client.pem" }}\n'
            '[[rules]]\nmethods = ["/echo.SecurePing/Echo"]\nallow = ["client"]\n')

    def files(self, name, tree="certs", bundle=True):
        """The flags for one identity, which are the same for both programs."""
        folder = self.made / tree / name
        flags = ["--certificate", folder / f"{name}.pem", "--private-key", folder / f"{name}.key"]
        return flags + (self.bundle() if bundle else [])

    def bundle(self):
        return ["--trust-bundle", self.made / "certs/ca/ca.pem"]

    def pong(self, mode, *flags):
        return Server(TROTH, "pong", "--listen", "127.0.0.1:0", "--mode", mode, *flags)

    def go_pong(self, mode, *flags):
        return Server(GO_SPING, "serve", "-mode", mode, "-listen", "127.0.0.1:0", *flags)

    def go_ping(self, server, mode, *flags, check=True):
        return run(GO_SPING, "echo", "-mode", mode, "-d", "1ms", *flags, f"127.0.0.1:{server.port}", check=check)

    def ping(self, server, mode, *flags, check=True, host="localhost"):
        return troth("ping", f"{host}:{server.port}", "--mode", mode, "-d", "1", *flags, check=check)

    def modes(self):
        """mode, flags of the server, flags of the client."""
        return (
            ("insecure", [], []),
            ("tls", self.files("server", bundle=False), self.bundle()),
            ("mutual", self.files("server"), self.files("client")),
        )

    def test_its_client_is_answered_by_our_server(self):
        for mode, server_flags, client_flags in self.modes():
            with self.subTest(mode=mode), self.pong(mode, *server_flags) as server:
                done = self.go_ping(server, mode, "-n", "go", "-l", "5", *client_flags)
                self.assertEqual(done.stdout.splitlines(),
                                 [f"sseq={i} rseq={i} success=true" for i in range(1, 6)])

    def test_our_client_is_answered_by_its_server(self):
        for mode, server_flags, client_flags in self.modes():
            with self.subTest(mode=mode), self.go_pong(mode, *server_flags) as server:
                done = self.ping(server, mode, "-l", "5", *client_flags)
                self.assertEqual(done.stdout.count("pong from"), 5, done.stdout)
                self.assertNotIn("out of sequence", done.stdout)
                self.assertIn("5 transmitted, 5 received, 0% loss", done.stdout)
                self.assertIn("rtt min/avg/max/mdev = ", done.stdout)

    def test_two_runs_of_one_sender_each_begin_at_one(self):
        with self.pong("insecure") as server:
            for _ in range(2):
                self.go_ping(server, "insecure", "-n", "same", "-l", "3")
                self.ping(server, "insecure", "-n", "same", "-l", "3")

    def test_our_server_tells_its_client_why_it_is_refused(self):
        self_signed = self.made / "self"
        self_signed.mkdir(exist_ok=True)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "3",
            "-subj", "/CN=self", "-addext", "basicConstraints=critical,CA:FALSE",
            "-keyout", self_signed / "self.key", "-out", self_signed / "self.pem")
        stranger = ["--certificate", self_signed / "self.pem", "--private-key", self_signed / "self.key", *self.bundle()]
        # A Go client withholds a certificate of an issuer that the server does not name: the reason shows that we saw it.
        with self.pong("mutual", *self.files("server"), "--verification", "first-call") as server:
            done = self.go_ping(server, "mutual", *stranger, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("code = Unauthenticated", done.stderr)
            self.assertRegex(done.stderr, r"\[troth:certificate_self_signed\]$")
        with self.pong("mutual", *self.files("server"), "--policy", self.made / "pin.toml") as server:
            done = self.go_ping(server, "mutual", *self.files("aggregator"), check=False)
            self.assertIn("code = PermissionDenied", done.stderr)
            self.assertRegex(done.stderr, r"\[troth:role_not_allowed\]$")
            self.go_ping(server, "mutual", *self.files("client"))

    def test_our_servers_log_says_why_its_client_failed_to_connect(self):
        with self.pong("mutual", *self.files("server")) as server:
            self.go_ping(server, "tls", *self.bundle(), check=False)
            server.wait_for_log(r"reason=client_certificate_missing")
            self.go_ping(server, "insecure", check=False)
            server.wait_for_log(r"reason=protocol_mismatch")
            # The client does not trust us, and says so by an alert.
            foreign = ["--trust-bundle", self.made / "foreign/ca/ca.pem"]
            self.go_ping(server, "tls", *foreign, check=False)
            server.wait_for_log(r"reason=peer_rejected_certificate")

    def test_our_client_says_why_its_server_refused(self):
        with self.go_pong("mutual", *self.files("server")) as server:
            rows = (
                # flags, reason, exit code
                (["tls", *self.bundle()], "client_certificate_missing", 69),
                (["tls", *self.bundle(), "--server-name", "elsewhere"], "name_mismatch", 65),
                (["insecure"], "handshake_failed", 69),
            )
            for flags, reason, code in rows:
                with self.subTest(flags=flags):
                    done = self.ping(server, *flags, check=False)
                    self.assertIn(f"[{reason}]", done.stderr)
                    self.assertRegex(done.stderr, r"(?m)^  fix: .{8,}")
                    self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            # Our certificate is of an authority that the server does not trust.
            (self.made / "both.pem").write_text((self.made / "certs/ca/ca.pem").read_text() +
                                                (self.made / "foreign/ca/ca.pem").read_text())
            done = self.ping(server, "mutual", *self.files("client", "foreign", bundle=False),
                             "--trust-bundle", self.made / "both.pem", check=False)
            self.assertRegex(done.stderr, r"\[(peer_rejected_certificate|client_certificate_missing)\]")


if __name__ == "__main__":
    unittest.main()
