"""What `troth serve` settles on its first start, and what later starts may change."""

import socket
import unittest

from troth_testing import Authority, TestCase, openssl, troth


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class ServeSettings(TestCase):
    def serve(self, *flags):
        return Authority(self.folder / "authority", *flags)

    def addresses(self, authority):
        """The addresses of lists and issuers in a certificate that is issued now."""
        (self.folder / "token").write_text(authority.token("db.internal"))
        troth("enroll", authority.https, "db.internal", "--token-file", "token", "--out", "db.pem", cwd=self.folder)
        text = openssl("x509", "-in", self.folder / "db.pem", "-noout", "-text").stdout
        for path in self.folder.glob("db.pem*"):
            path.unlink()
        return [line.split("URI:")[1].strip() for line in text.splitlines() if "URI:" in line]

    def refused(self, *flags):
        done = troth("serve", "--data", self.folder / "authority", "--listen", "127.0.0.1:0", "--grpc-listen", "", *flags, check=False)
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("[usage_error]", done.stderr)

    def test_certificates_say_where_the_plain_listener_has_the_lists(self):
        port = free_port()
        with self.serve("--http-listen", f"127.0.0.1:{port}", "--dns-name", "ca.example.org") as authority:
            base = f"http://ca.example.org:{port}"
            self.assertEqual(self.addresses(authority), [f"{base}/crl/1", f"{base}/issuer/1"])
        with self.serve("--public-url", "http://lists.example.org") as authority:
            self.assertEqual(self.addresses(authority), ["http://lists.example.org/crl/1", "http://lists.example.org/issuer/1"])
        with self.serve() as authority:
            self.assertEqual(self.addresses(authority)[0], "http://lists.example.org/crl/1", "it is kept")

    def test_a_trust_domain_stays(self):
        with self.serve("--trust-domain", "one.example.org"):
            pass
        self.refused("--trust-domain", "two.example.org")
        with self.serve("--trust-domain", "one.example.org"):
            pass


if __name__ == "__main__":
    unittest.main()
