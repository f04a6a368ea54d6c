"""What gRPC's ends with Troth's credentials say of others' TLS that does not fit: openssl's and curl's."""

import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from troth_testing import TROTH, Server, TestCase, run, tool, troth

OLD = ("-tls1", "-cipher", "ALL:@SECLEVEL=0")


class GrpcHandshakes(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="troth-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        troth("certs", "generate", "--out", cls.made, "--key-type", "p256")

    def files(self, name):
        return ("--certificate", self.made / f"{name}/{name}.pem", "--private-key", self.made / f"{name}/{name}.key",
                "--trust-bundle", self.made / "ca/ca.pem")

    def openssl_files(self, name):
        return ("-cert", self.made / f"{name}/{name}.pem", "-key", self.made / f"{name}/{name}.key")

    def test_a_server_says_what_is_wrong_with_its_clients(self):
        s_client = (tool("openssl"), "s_client", *self.openssl_files("client"), "-connect")
        for name, reason, before, after in (
                ("TLS 1.0", "protocol_mismatch", s_client, OLD),
                ("plain HTTP", "protocol_mismatch", (tool("curl"), "-sS"), ()),
                ("does not trust the server", "peer_rejected_certificate", s_client,
                 ("-alpn", "h2", "-verify_return_error", "-CAfile", self.made / "aggregator/aggregator.pem"))):
            with self.subTest(name), Server(TROTH, "pong", "--listen", "127.0.0.1:0", *self.files("server")) as server:
                run(*before, f"127.0.0.1:{server.port}", *after, check=False, timeout=20)
                line = server.wait_for_log(rf"a TLS handshake failed reason={reason} .*").group()
                self.assertRegex(line, r' error="[^"]{20,}".* fix="[^"]{20,}"')

    def test_a_client_says_what_is_wrong_with_its_server(self):
        for name, flags in (("TLS 1.0", OLD), ("no ALPN", ()), ("HTTP/1 only", ("-alpn", "http/1.1"))):
            with self.subTest(name), socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{probe.getsockname()[1]}"
                probe.close()
                server = subprocess.Popen([tool("openssl"), "s_server", "-quiet", "-accept", address, *flags,
                                           *self.openssl_files("server")],
                                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    self.wait_for(address)
                    done = troth("ping", address, *self.files("client"), "--server-name", "localhost", "-l", "1", "-d", "1",
                                 check=False)
                finally:
                    server.kill()
                    server.wait()
                self.assertEqual(done.returncode, 69)
                self.assertRegex(done.stderr, re.compile(r"\[protocol_mismatch\]$\n  fix: .{20,}", re.MULTILINE))

    def wait_for(self, address):
        host, port = address.split(":")
        deadline = time.monotonic() + 10
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
