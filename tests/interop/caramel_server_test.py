"""Troth's Caramel front end beside the original server: the same CA, the same requests, the same answers."""

import base64
import json
import unittest

from caramel_testing import Original, Requests, Troth, certificate_facts, hash_of
from troth_testing import TestCase, troth

# What is meant to differ: by request, the status and the beginning of the detail of ours, and why. docs/caramel.md tells users.
DIFFERENT = {
    # Keys and signatures that nobody should rely on any more.
    "rsa1024": (400, "crypto error: "),
    "sha1": (400, "crypto error: "),
    # The original takes these and can never sign them, or signs one of two names.
    "no common name": (400, "Bad subject: expected one common name"),
    "two common names": (400, "Bad subject: expected one common name"),
    # The original's HTTP server reads chunks, and learns the length by that.
    "chunked": (411, None),
}


def pem_of(der):
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[i:i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}\n-----END CERTIFICATE REQUEST-----\n".encode()


class CaramelServerTest(TestCase):
    def setUp(self):
        super().setUp()
        self.original = Original(self.folder / "original")
        self.maker = Requests(self.folder, self.original.subject)
        troth("ca", "import", "--data", self.folder / "troth", "--one-tier", "--certificate", self.original.certificate,
              "--private-key", self.original.key)
        self.enterContext(self.original)
        self.troth = self.enterContext(Troth(self.folder / "troth"))
        self.servers = (self.original, self.troth)

    def same(self, what, answers, certificates=False):
        """Both answers have one status, media type and body, but for the server's own address."""
        original, ours = answers
        self.assertEqual(ours.status, original.status, f"{what}: {ours.body} instead of {original.body}")
        self.assertEqual(ours.media_type.split(";")[0], original.media_type.split(";")[0], what)
        if not certificates:
            self.assertEqual(ours.body.replace(self.troth.base, "BASE"), original.body.replace(self.original.base, "BASE"), what)

    def both(self, what, ask, **options):
        answers = [ask(server) for server in self.servers]
        self.same(what, answers, **options)
        return answers

    def bodies(self):
        """Good and bad bodies, by what is special about them."""
        make, prefix = self.maker.make, self.original.subject
        good = make("good")
        lines = good.split(b"\n")
        der = base64.b64decode(b"".join(lines[1:-2]))
        bad_signature = der[:-1] + bytes([der[-1] ^ 1])
        return {
            "good": good,
            "rsa1024": make("rsa1024", key=("rsa:1024",)),
            "rsa2048": make("rsa2048", key=("rsa:2048",)),
            "rsa4096": make("rsa4096", key=("rsa:4096",)),
            "ed25519": make("ed25519", key=("ed25519",)),
            "sha1": make("sha1", extra=("-sha1",)),
            "a MAC address": make("b8:27:eb:00:11:22"),
            "a name with a space": make("Alice Example"),
            "without OU": make("without-ou", subject=prefix.replace("/OU=Caramel", "/CN=without-ou")),
            "another OU": make("another-ou", subject=prefix.replace("Caramel", "Other") + "/CN=another-ou"),
            "an email address": make("email", subject=prefix + "/CN=email/emailAddress=a@example.org"),
            "no common name": make("no-name", subject=prefix),
            "two common names": make("two", subject=prefix + "/CN=one/CN=two"),
            "only a country": make("country", subject="/C=SE"),
            "no subject": make("nobody", subject="/"),
            "another organization": make("other", subject=prefix.replace("Modio's", "Other") + "/CN=other"),
            "another order": make("order", subject="/C=SE/O=Modio's AB/L=Linköping/ST=Östergötland/CN=order"),
            "odd texts": make("odd", subject="/C=NO/ST=a\"b'c/L=\\\\back/O=tab\tx/CN=odd"),
            "far letters": make("far", subject="/C=SE/ST=日本/L=\u0085\u00ad\u200b😀/O=\x7f/CN=far"),
            "empty": b"",
            "no PEM": b"hello",
            "DER": der,
            "2048 bytes": b"x" * 2048,
            "2049 bytes": b"x" * 2049,
            "a line before": b"\n" + good,
            "a line behind": good + b"\n",
            "text behind": good + b"x",
            "twice": good + good,
            "no newline at the end": good.rstrip(),
            "carriage returns": good.replace(b"\n", b"\r\n"),
            "the older label": good.replace(b"CERTIFICATE", b"NEW CERTIFICATE"),
            "one long line": b"\n".join([lines[0], b"".join(lines[1:-2]), lines[-2], b""]),
            "bad signature": pem_of(bad_signature),
            "bad signature and a line behind": pem_of(bad_signature) + b"\n",
            "a byte behind the request": pem_of(der + b"\0"),
            "a cut request": pem_of(der[:-4]),
            "a certificate": self.original.certificate.read_bytes(),
        }

    def test_posts_are_answered_as_the_original_does(self):
        bodies = self.bodies()
        for what, body in bodies.items():
            with self.subTest(what):
                if what not in DIFFERENT:
                    self.both(what, lambda server: server.post(body))
                    continue
                self.assertEqual(self.original.post(body).status, 202)
                ours = self.troth.post(body)
                status, detail = DIFFERENT[what]
                self.assertEqual(ours.status, status)
                self.assertTrue(json.loads(ours.body)["detail"].startswith(detail), ours.body)
        with self.subTest("again"):
            self.both("again", lambda server: server.post(bodies["good"]))
        with self.subTest("at another hash"):
            self.both("at another hash", lambda server: server.post(bodies["good"], at="0" * 64))
            self.both("too large goes first", lambda server: server.post(b"x" * 5000, at="0" * 64))

    def test_everything_else_is_answered_as_the_original_does(self):
        good = self.maker.make("good")
        path = "/" + hash_of(good)
        self.both("post", lambda server: server.post(good))
        for method, target in (
                ("GET", path), ("HEAD", path), ("GET", path + "?a=b"), ("GET", "/" + "0" * 64), ("GET", path.upper()),
                ("GET", path + "/"), ("GET", path + "0"), ("GET", "/"), ("GET", "/index.html"), ("GET", "/a%20b%c3%b6?x"),
                ("GET", "/root.crt"), ("GET", "/bundle.crt"), ("HEAD", "/root.crt")):
            with self.subTest(f"{method} {target}"):
                answers = self.both(target, lambda server: server.send(method, target))
                if target.endswith(".crt"):
                    for answer in answers:
                        self.assertEqual(answer.fields["cache-control"], "max-age=3600")
        for method, target in (("PUT", path), ("DELETE", path), ("POST", "/root.crt"), ("POST", "/x"), ("OPTIONS", path)):
            with self.subTest(f"{method} {target}"):
                self.both(target, lambda server: server.send(method, target, b""))
        with self.subTest("without a length"):
            self.both("without a length", lambda server: server.send("POST", path, fields={"Content-Length": None}))
        with self.subTest("chunked"):
            fields, body = {"Transfer-Encoding": "chunked", "Content-Length": None}, b"5\r\nhello\r\n0\r\n\r\n"
            self.assertEqual(self.original.send("POST", path, body, fields).status, 400)
            self.assertEqual(self.troth.send("POST", path, body, fields).status, DIFFERENT["chunked"][0])

    def test_the_life_of_a_request_is_answered_as_the_original_does(self):
        for name, key in (("rsa", ("rsa:2048",)), ("b8:27:eb:00:11:22", ("rsa:2048",)), ("Alice Example", ("rsa:2048",))):
            with self.subTest(name):
                body = self.maker.make(name, key=key)
                self.both("post", lambda server: server.post(body))
                self.both("pending", lambda server: server.get(body))
                for server in self.servers:
                    server.sign(body)
                answers = self.both("signed", lambda server: server.get(body), certificates=True)
                original, ours = (certificate_facts(answer.body, self.folder) for answer in answers)
                if name != "rsa":  # no DNS name, and so no alternative name
                    self.assertEqual(original.pop("alternative name"), f"DNS:{name}")
                    self.assertIsNone(ours.pop("alternative name"))
                self.assertEqual(ours, original)
                for server in self.servers:
                    server.reject(body)
                self.both("rejected", lambda server: server.get(body))

    def test_alternative_names_that_nobody_looks_at_are_not_certified(self):
        body = self.maker.make("plain", key=("rsa:2048",), extra=("-addext", "subjectAltName=DNS:other.example,IP:10.0.0.1"))
        for server in self.servers:
            server.post(body)
            server.sign(body)
            self.assertEqual(certificate_facts(server.get(body).body, self.folder)["alternative name"], "DNS:plain")

    def test_keys_that_the_original_cannot_sign_work(self):
        for name, key in (("ec", ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")), ("rsa3072", ("rsa:3072",))):
            with self.subTest(name):
                body = self.maker.make(name, key=key)
                self.both("post", lambda server: server.post(body))
                with self.assertRaises(AssertionError):
                    self.original.sign(body)
                self.troth.sign(body)
                self.assertEqual(self.troth.get(body).status, 200)

    def test_a_certificate_that_the_client_has_is_not_sent_again(self):
        body = self.maker.make("client", key=("rsa:2048",))
        for server in self.servers:
            server.post(body)
            server.sign(body)
        self.assertNotIn("last-modified", self.original.get(body).fields)
        modified = self.troth.get(body).fields["last-modified"]
        since = {"If-Modified-Since": modified}
        self.assertEqual([server.get(body, fields=since).status for server in self.servers], [200, 304])
        past = {"If-Modified-Since": "Sat, 21 Nov 2020 00:00:00 GMT"}
        self.assertEqual([server.get(body, fields=past).status for server in self.servers], [200, 200])


if __name__ == "__main__":
    unittest.main()
