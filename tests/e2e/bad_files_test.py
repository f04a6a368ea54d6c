"""A server that is given a bad file stops at once: exit code not 0, a few lines that name file, cause and what to do."""

import base64
import os
import pathlib
import re
import shutil
import stat
import unittest

from troth_testing import TROTH, Server, TestCase, openssl, run, troth


class BadFiles(TestCase):
    @classmethod
    def setUpClass(cls):
        import tempfile
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="troth-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        troth("certs", "generate", "--out", cls.made / "certs", "--key-type", "p256")
        troth("certs", "generate", "--out", cls.made / "other", "--key-type", "p256")

    def setUp(self):
        super().setUp()
        for name in ("server/server.pem", "server/server.key", "ca/ca.pem"):
            shutil.copy(self.made / "certs" / name, self.folder)
        self.certificate = self.folder / "server.pem"
        self.key = self.folder / "server.key"
        self.bundle = self.folder / "ca.pem"

    def pong(self):
        return [TROTH, "pong", "--listen", "127.0.0.1:0", "--mode", "mutual", "--certificate", self.certificate,
                "--private-key", self.key, "--trust-bundle", self.bundle]

    def refused(self, reason, *words, file):
        """Starts the server and checks how it refuses: `reason`, the file's name, every one of `words`."""
        done = run(*self.pong(), check=False, timeout=30)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(f"[{reason}]", done.stderr)
        self.assertIn(str(file), done.stderr)
        self.assertRegex(done.stderr, r"(?m)^  fix: .{8,}")
        for word in words:
            self.assertRegex(done.stderr.lower(), word.lower())
        self.assertLessEqual(len(done.stderr.splitlines()), 8, done.stderr)
        self.assertNotIn("PRIVATE KEY-----\n", done.stderr)

    def started(self, *warnings):
        with Server(*self.pong()) as server:
            for warning in warnings:
                server.wait_for_log(warning)

    def self_made(self, days="30", bits="2048", subject="/CN=localhost"):
        """A certificate of its own making in place of the server's, with its key and itself as trust bundle."""
        openssl("req", "-x509", "-newkey", f"rsa:{bits}", "-noenc", "-keyout", self.key, "-out", self.certificate,
                "-days", days, "-subj", subject, "-addext", "subjectAltName=DNS:localhost")
        shutil.copy(self.certificate, self.bundle)

    def test_good_files_start(self):
        self.started()

    def test_missing(self):
        self.certificate.unlink()
        self.refused("file_not_found", file=self.certificate)

    def test_missing_key(self):
        self.key.unlink()
        self.refused("file_not_found", file=self.key)

    def test_missing_bundle(self):
        self.bundle.unlink()
        self.refused("file_not_found", file=self.bundle)

    def test_empty(self):
        self.certificate.write_bytes(b"")
        self.refused("file_empty", file=self.certificate)

    def test_empty_key(self):
        self.key.write_bytes(b"")
        self.refused("file_empty", file=self.key)

    def test_binary(self):
        self.certificate.write_bytes(os.urandom(4000))
        self.refused("file_wrong_format", file=self.certificate)

    def test_100_megabytes(self):
        with open(self.certificate, "wb") as file:
            file.truncate(100 << 20)
        self.refused("file_too_large", "104857600", file=self.certificate)

    def test_folder(self):
        self.certificate.unlink()
        self.certificate.mkdir()
        self.refused("file_not_regular", "folder", file=self.certificate)

    def test_fifo(self):
        self.key.unlink()
        os.mkfifo(self.key)
        self.refused("file_not_regular", "pipe", file=self.key)

    def test_unreadable(self):
        self.key.chmod(0)
        if os.access(self.key, os.R_OK):
            # root reads everything: give the server a user of its own.
            self.folder.chmod(0o755)
            self.certificate.chmod(0o644)
            done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", *self.pong(),
                       check=False, timeout=30)
            if "setpriv" in done.stderr or done.returncode in (126, 127):
                self.skipTest("the tree's programs cannot be run as another user")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("[file_unreadable]", done.stderr)
            self.assertIn(str(self.key), done.stderr)
        else:
            self.refused("file_unreadable", file=self.key)

    def test_wrong_pem_type(self):
        openssl("req", "-new", "-key", self.key, "-subj", "/CN=localhost", "-out", self.certificate)
        self.refused("certificate_missing", "certificate request", file=self.certificate)

    def test_swapped(self):
        self.certificate, self.key = self.key, self.certificate
        self.refused("certificate_missing", "private key", file=self.certificate)

    def test_two_keys(self):
        self.key.write_bytes(self.key.read_bytes() + (self.made / "other/server/server.key").read_bytes())
        self.refused("key_malformed", "2|two", file=self.key)

    def test_crlf_starts(self):
        for path in (self.certificate, self.key, self.bundle):
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        self.started()

    def test_byte_order_mark_starts(self):
        self.certificate.write_bytes(b"\xef\xbb\xbf" + self.certificate.read_bytes())
        self.started()

    def test_utf16(self):
        self.certificate.write_text(self.certificate.read_text(), encoding="utf-16")
        self.refused("file_wrong_format", "utf-16", file=self.certificate)

    def test_pkcs12(self):
        out = self.folder / "server.p12"
        openssl("pkcs12", "-export", "-in", self.certificate, "-inkey", self.key, "-out", out, "-passout", "pass:x")
        self.certificate = out
        self.refused("file_wrong_format", r"pkcs#12", "openssl pkcs12", file=out)

    def test_der(self):
        openssl("x509", "-in", self.certificate, "-outform", "DER", "-out", self.certificate)
        self.refused("file_wrong_format", "der", "openssl x509", file=self.certificate)

    def test_leaf_after_ca_starts(self):
        self.certificate.write_bytes(self.bundle.read_bytes() + self.certificate.read_bytes())
        self.started()

    def test_encrypted_key(self):
        encrypted = self.folder / "encrypted.key"
        openssl("pkey", "-in", self.key, "-aes256", "-passout", "pass:secret", "-out", encrypted)
        self.key = encrypted
        self.refused("key_encrypted", "passphrase", file=self.key)

    def test_legacy_encrypted_key(self):
        key = self.folder / "rsa.key"
        openssl("genrsa", "-traditional", "-aes128", "-passout", "pass:secret", "-out", key, "2048")
        self.key = key
        self.refused("key_encrypted", "passphrase", file=key)

    def test_world_readable_key_starts_with_a_warning(self):
        self.key.chmod(0o644)
        self.started(re.escape(str(self.key)) + r".*chmod 600|chmod 600.*" + re.escape(str(self.key)))

    def test_key_of_another_certificate(self):
        shutil.copy(self.made / "other/server/server.key", self.key)
        self.refused("key_mismatch", file=self.key)

    def test_certificate_of_another_ca(self):
        for name in ("server.pem", "server.key"):
            shutil.copy(self.made / "other/server" / name, self.folder)
        # The bundle has a CA of the same name and another key.
        self.refused("signature_invalid", file=self.certificate)

    def sign(self, *dates):
        """Signs the server's key again with the CA of the tree, valid in the given time."""
        openssl("req", "-new", "-key", self.key, "-subj", "/CN=localhost", "-out", self.folder / "r.csr")
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\npolicy=p\n"
            "default_md=sha256\nunique_subject=no\n[p]\ncommonName=supplied\n")
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text("1000\n")
        openssl("ca", "-batch", "-config", "ca.cnf", "-in", "r.csr", "-out", self.certificate, "-notext",
                "-cert", self.made / "certs/ca/ca.pem", "-keyfile", self.made / "certs/ca/ca.key",
                "-startdate", dates[0], "-enddate", dates[1], cwd=self.folder)

    def test_expired(self):
        self.sign("20200101000000Z", "20200201000000Z")
        self.refused("certificate_expired", "2020-02-01", file=self.certificate)

    def test_not_yet_valid(self):
        self.sign("20480101000000Z", "20490101000000Z")
        self.refused("certificate_not_yet_valid", "2048-01-01", file=self.certificate)

    def test_rsa_1024(self):
        self.self_made(bits="1024")
        self.refused("key_too_weak", "1024", file=self.certificate)

    def test_self_made_development_certificate_starts(self):
        self.self_made()
        self.started()

    def test_one_line_pem_starts(self):
        body = base64.b64encode(base64.b64decode("".join(
            line for line in self.certificate.read_text().splitlines() if "-----" not in line))).decode()
        self.certificate.write_text(f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        self.started()

    def test_secrets_are_not_written_world_readable(self):
        for key in (self.made / "certs").rglob("*.key"):
            self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600, key)


if __name__ == "__main__":
    unittest.main()
