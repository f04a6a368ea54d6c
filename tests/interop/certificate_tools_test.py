"""What `troth certs` and `troth ca` make, in the eyes of openssl, GnuTLS's certtool and zlint."""

import json
import unittest

from troth_testing import TestCase, openssl, run, tool, troth

LEAVES = ("server", "client", "aggregator")
# Not lints of RFCs, but rules for the public web's authorities and for electronic signatures.
FOREIGN_LINTS = "CABF_BR,CABF_EV,Apple,Mozilla,ETSI_ESI,Community"


class CertificateToolsTest(TestCase):
    def setUp(self):
        super().setUp()
        self.certs = self.folder / "certs"

    def generate(self, *options, **how):
        return troth("certs", "generate", "--out", self.certs, *options, **how)

    def files(self):
        """Each certificate of the tree, and the ca.pem beside it."""
        yield self.certs / "ca/ca.pem", self.certs / "ca/ca.pem"
        for leaf in LEAVES:
            yield self.certs / leaf / f"{leaf}.pem", self.certs / leaf / "ca.pem"

    def assert_accepted_by_openssl(self, certificate, bundle, *options):
        openssl("verify", "-x509_strict", *options, "-CAfile", bundle, certificate)

    def assert_accepted_by_certtool(self, certificate, bundle):
        checked = run(tool("certtool"), "--verify", "--load-ca-certificate", bundle, input=certificate.read_text())
        self.assertIn("Chain verification output: Verified.", checked.stdout)

    def assert_without_lint(self, certificate):
        # zlint ends with 0 whatever it finds, and reads the first certificate of a file.
        findings = json.loads(run(tool("zlint"), "-excludeSources", FOREIGN_LINTS, certificate).stdout)
        self.assertGreater(len(findings), 50)
        poor = {lint: finding["result"] for lint, finding in findings.items()
                if finding["result"] not in ("pass", "NA", "NE", "info")}
        self.assertEqual(poor, {}, certificate)

    def check_tree(self):
        for certificate, bundle in self.files():
            self.assert_accepted_by_openssl(certificate, bundle)
            self.assert_accepted_by_certtool(certificate, bundle)
            self.assert_without_lint(certificate)
        server = self.certs / "server/server.pem"
        for option, name in [("-verify_hostname", "localhost"), ("-verify_hostname", "a.docker.internal"),
                             ("-verify_ip", "127.0.0.1"), ("-verify_ip", "172.17.0.1")]:
            self.assert_accepted_by_openssl(server, self.certs / "ca/ca.pem", option, name, "-purpose", "sslserver")
        for leaf in LEAVES:
            self.assert_accepted_by_openssl(self.certs / leaf / f"{leaf}.pem", self.certs / leaf / "ca.pem",
                                            "-purpose", "sslclient")
            key = openssl("pkey", "-in", self.certs / leaf / f"{leaf}.key", "-pubout").stdout
            self.assertEqual(openssl("x509", "-in", self.certs / leaf / f"{leaf}.pem", "-noout", "-pubkey").stdout, key)

    def test_a_tree_of_every_key_type_is_accepted_new_renewed_and_rolled_over(self):
        for key_type in (None, "p256", "p384", "ed25519"):
            with self.subTest(key_type=key_type or "default"):
                self.certs = self.folder / (key_type or "default")
                self.generate(*(["--key-type", key_type] if key_type else []))
                self.check_tree()
                self.generate("--renew", "all")
                self.check_tree()
                self.generate("--roll-ca")
                self.check_tree()
                self.generate("--renew", "all")
                self.check_tree()
                self.generate("--drop-old")
                self.check_tree()

    def test_the_commands_that_it_prints_succeed(self):
        printed = self.generate("--key-type", "p256").stdout
        commands = printed.split("Check:\n")[1].strip().splitlines()
        self.assertEqual([command.split()[0] for command in commands], ["troth"] * 3 + ["openssl"])
        for command in commands:
            program, *arguments = command.split()
            (troth if program == "troth" else openssl)(*arguments)

    def test_an_authority_of_files_is_accepted_with_its_list(self):
        for key in ("rsa2048", "p256", "p384", "ed25519"):
            with self.subTest(key=key):
                def ca(*argv):
                    troth("ca", "--depot-path", self.folder / key, *argv)
                keys = ["--key-type", key, "--passphrase", ""]
                ca("init", "--common-name", "root", "--country", "SE", "--organization", "Example", "--path-length", "1",
                   "--permit-domain", "example.com", *keys)
                ca("request-cert", "--common-name", "issuer", *keys)
                ca("sign", "issuer", "--CA", "root", "--intermediate")
                ca("request-cert", "--domain", "db.example.com,*.db.example.com", "--ip", "10.0.0.7",
                   "--uri", "spiffe://example.com/db", *keys)
                ca("sign", "db.example.com", "--CA", "issuer")
                ca("crl", "--CA", "root")
                # The issuer's list does not exist until it is asked for.
                ca("crl", "--CA", "issuer")
                folder = self.folder / key
                chain = ["-untrusted", folder / "issuer.crt"]
                lists = ["-crl_check_all", "-CRLfile", folder / "root.crl", "-CRLfile", folder / "issuer.crl"]
                self.assert_accepted_by_openssl(folder / "db.example.com.crt", folder / "root.crt", *chain, *lists)
                ca("revoke", "--CN", "db.example.com", "--CA", "issuer", "--reason", "superseded")
                refused = openssl("verify", "-CAfile", folder / "root.crt", *chain, *lists,
                                  folder / "db.example.com.crt", check=False)
                self.assertIn("certificate revoked", refused.stderr)
                for name in ("root", "issuer", "db.example.com"):
                    self.assert_without_lint(folder / f"{name}.crt")

    def test_a_tree_made_by_the_documents_openssl_commands_can_be_renewed_and_rolled_over(self):
        subject = "/C=US/ST=California/L=San Francisco/O=Clementine"
        for name in ("ca",) + LEAVES:
            (self.certs / name).mkdir(parents=True)
        ca_key, ca = self.certs / "ca/ca.key", self.certs / "ca/ca.pem"
        openssl("genrsa", "-out", ca_key, "2048")
        openssl("req", "-new", "-x509", "-sha256", "-days", "365", "-key", ca_key, "-out", ca,
                "-subj", f"{subject}/OU=CA/CN=clementine-ca", "-extensions", "v3_ca")
        for name, common_name in zip(LEAVES, ("localhost", "clementine-client", "clementine-aggregator")):
            folder = self.certs / name
            openssl("genrsa", "-out", folder / f"{name}.key", "2048")
            openssl("req", "-new", "-key", folder / f"{name}.key", "-out", folder / f"{name}.csr",
                    "-subj", f"{subject}/OU={name.title()}/CN={common_name}")
            openssl("x509", "-req", "-sha256", "-days", "365", "-in", folder / f"{name}.csr", "-CA", ca,
                    "-CAkey", ca_key, "-CAcreateserial", "-out", folder / f"{name}.pem", "-extensions", "v3_req")
            (folder / "ca.pem").write_text(ca.read_text())
        before = {path: path.read_bytes() for path in self.certs.rglob("*.*")}
        refused = self.generate("--json", check=False)
        self.assertEqual(json.loads(refused.stdout)["reason"], "file_exists")
        self.assertEqual({path: path.read_bytes() for path in before}, before)

        self.generate("--renew", "all")
        for leaf in LEAVES:
            openssl("verify", "-CAfile", self.certs / leaf / "ca.pem", self.certs / leaf / f"{leaf}.pem")
        self.assertEqual((self.certs / "aggregator/aggregator.pem").read_text().count("BEGIN CERTIFICATE"), 2)
        self.generate("--roll-ca")
        self.generate("--renew", "all")
        self.generate("--drop-old")
        self.check_tree()

    def test_the_attestor_documents_last_command_is_refused(self):
        key, ca = self.folder / "ca.key", self.folder / "ca.cer"
        openssl("genpkey", "-algorithm", "RSA", "-out", key)
        openssl("req", "-new", "-x509", "-key", key, "-out", ca, "-subj", "/CN=attestor ca")
        openssl("genpkey", "-algorithm", "RSA", "-out", self.folder / "attestor1.key")
        openssl("req", "-new", "-key", self.folder / "attestor1.key", "-out", self.folder / "attestor1.csr",
                "-subj", "/CN=attestor1")
        sign = ["ca", "sign", "attestor1", "--csr", self.folder / "attestor1.csr", "--ca-certificate", ca, "--ca-key", key]
        before = ca.read_bytes()
        refused = troth(*sign, "--out", ca, "--json", check=False)
        self.assertEqual(refused.returncode, 73)
        self.assertEqual(json.loads(refused.stdout)["reason"], "file_exists")
        self.assertEqual(ca.read_bytes(), before)
        refused = troth(*sign, "--out", key, "--json", check=False)
        self.assertEqual(json.loads(refused.stdout)["reason"], "file_exists")

        troth(*sign, "--out", self.folder / "attestor1.cer")
        openssl("verify", "-CAfile", ca, "-purpose", "sslclient", self.folder / "attestor1.cer")


if __name__ == "__main__":
    unittest.main()
