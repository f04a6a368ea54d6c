"""The five client-certificate modes against five kinds of caller, as a foreign client (Python's grpcio) sees them."""

import pathlib
import shutil
import tempfile
import unittest

try:
    import grpc
except ImportError:
    grpc = None

from troth_testing import Server, TROTH, TestCase, missing, openssl, troth

ECHO = "/echo.SecurePing/Echo"


def varint_field(number, value):
    return bytes([number << 3]) + bytes([value])


# Ping{sender: "matrix", sseq: 1}, written by hand: this client knows nothing of our generated code.
PING = b"\x0a\x06matrix" + varint_field(2, 1)


class Modes(TestCase):
    """Rows: mode. Columns: what the caller shows. A cell: "yes", a reason code, or "handshake"."""

    COLUMNS = ("none", "pinned", "self-signed", "foreign", "ours")
    AT_HANDSHAKE = {
        "none": ("peer_not_authenticated",) * 5,
        "request": ("peer_not_authenticated", "yes", "peer_not_pinned", "peer_not_pinned", "peer_not_pinned"),
        "verify": ("peer_not_authenticated", "handshake", "handshake", "handshake", "yes"),
        "require-any": ("handshake", "yes", "peer_not_pinned", "peer_not_pinned", "peer_not_pinned"),
        "require": ("handshake", "handshake", "handshake", "handshake", "yes"),
    }

    @classmethod
    def setUpClass(cls):
        if grpc is None:
            missing("python3-grpcio")
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="troth-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        for tree in ("certs", "foreign"):
            troth("certs", "generate", "--out", cls.made / tree, "--key-type", "p256")
        for name in ("pinned", "self-signed"):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30",
                    "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:FALSE",
                    "-keyout", cls.made / f"{name}.key", "-out", cls.made / f"{name}.pem")
        (cls.made / "policy.toml").write_text(
            '[roles]\npinned = { certificate = "pinned.pem" }\n'
            f'[[rules]]\nmethods = ["{ECHO}"]\nallow = ["authenticated", "pinned"]\n')
        cls.credentials = {
            "none": (None, None),
            "pinned": (cls.made / "pinned.pem", cls.made / "pinned.key"),
            "self-signed": (cls.made / "self-signed.pem", cls.made / "self-signed.key"),
            "foreign": (cls.made / "foreign/client/client.pem", cls.made / "foreign/client/client.key"),
            "ours": (cls.made / "certs/client/client.pem", cls.made / "certs/client/client.key"),
        }

    def pong(self, mode, *more):
        server = self.made / "certs/server"
        return Server(TROTH, "pong", "--listen", "127.0.0.1:0", "--mode", "mutual", "--client-certificate", mode,
                      "--certificate", server / "server.pem", "--private-key", server / "server.key",
                      "--trust-bundle", server / "ca.pem", "--policy", self.made / "policy.toml", *more)

    def call(self, port, certificate, key):
        """"yes", the reason code of a refusal, or "handshake"."""
        read = lambda path: None if path is None else pathlib.Path(path).read_bytes()
        credentials = grpc.ssl_channel_credentials(
            root_certificates=(self.made / "certs/ca/ca.pem").read_bytes(),
            private_key=read(key), certificate_chain=read(certificate))
        # No retries of the connection: one handshake, one answer.
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 60000))
        with grpc.secure_channel(f"localhost:{port}", credentials, options) as channel:
            try:
                channel.unary_unary(ECHO)(PING, timeout=10)
                return "yes"
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.UNAVAILABLE:
                    return "handshake"
                self.assertIn(error.code(), (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED))
                details = error.details()
                self.assertRegex(details, r"\[troth:[a-z_]+\]$")
                return details[details.rindex("[troth:") + 7:-1]

    def test_matrix(self):
        for mode, expected in self.AT_HANDSHAKE.items():
            with self.pong(mode) as server:
                for column, answer in zip(self.COLUMNS, expected):
                    with self.subTest(mode=mode, caller=column):
                        self.assertEqual(self.call(server.port, *self.credentials[column]), answer)

    def test_first_call_verification_explains_to_the_client(self):
        expected = {
            "verify": ("peer_not_authenticated", "certificate_self_signed", "certificate_self_signed",
                       "signature_invalid", "yes"),
            "require": ("peer_not_authenticated", "certificate_self_signed", "certificate_self_signed", "signature_invalid",
                        "yes"),
        }
        for mode, row in expected.items():
            with self.pong(mode, "--verification", "first-call") as server:
                for column, answer in zip(self.COLUMNS, row):
                    with self.subTest(mode=mode, caller=column):
                        self.assertEqual(self.call(server.port, *self.credentials[column]), answer)

    def test_key_that_does_not_match_never_gets_a_call_through(self):
        for mode in self.AT_HANDSHAKE:
            with self.subTest(mode=mode), self.pong(mode) as server:
                answer = self.call(server.port, self.made / "certs/client/client.pem",
                                   self.made / "certs/aggregator/aggregator.key")
                self.assertEqual(answer, "handshake")


if __name__ == "__main__":
    unittest.main()
