"""`troth ca` and certstrap on the same files: each goes on where the other stopped."""

import json
import unittest

from troth_testing import TestCase, openssl, run, tool, troth


class CertstrapTest(TestCase):
    def setUp(self):
        super().setUp()
        self.certstrap_program = tool("certstrap")
        self.out = self.folder / "out"

    def certstrap(self, *argv, **options):
        return run(self.certstrap_program, *argv, cwd=self.folder, **options)

    def troth(self, *argv, **options):
        return troth("ca", *argv, cwd=self.folder, **options)

    def verify(self, name, authority, *options):
        openssl("verify", *options, "-CAfile", self.out / f"{authority}.crt", self.out / f"{name}.crt")

    def states(self):
        listing = json.loads(self.troth("list", "--json").stdout)
        self.assertEqual(listing["problems"], [])
        return {entry["name"]: entry["state"] for entry in listing["certificates"]}

    def crl_serials(self, authority):
        text = openssl("crl", "-in", self.out / f"{authority}.crl", "-noout", "-text",
                       "-CAfile", self.out / f"{authority}.crt")
        self.assertIn("verify OK", text.stderr)
        return [line.split(": ")[1] for line in text.stdout.splitlines() if "Serial Number: " in line]

    def serial(self, name):
        return openssl("x509", "-in", self.out / f"{name}.crt", "-noout", "-serial").stdout.strip().split("=")[1]

    KEYS = [("--key-bits", "2048"), ("--curve", "P-256"), ("--curve", "P-384"), ("--curve", "Ed25519")]

    def test_the_documented_commands_print_the_documented_lines(self):
        init = self.troth("init", "--common-name", "umd.fluidfs.com", "--passphrase", "")
        request = self.troth("request-cert", "-ip", "192.168.1.18", "--passphrase", "")
        sign = self.troth("sign", "192.168.1.18", "--CA", "umd.fluidfs.com")
        lines = (init.stdout + request.stdout + sign.stdout).splitlines()
        self.assertEqual([line for line in lines if line.startswith("Created")], [
            "Created out/umd.fluidfs.com.key",
            "Created out/umd.fluidfs.com.crt",
            "Created out/umd.fluidfs.com.crl",
            "Created out/192.168.1.18.key",
            "Created out/192.168.1.18.csr",
            "Created out/192.168.1.18.crt from out/192.168.1.18.csr signed by out/umd.fluidfs.com.key"])
        self.verify("192.168.1.18", "umd.fluidfs.com", "-x509_strict", "-verify_ip", "192.168.1.18")

    def test_certstrap_signs_and_revokes_with_our_authority_and_request(self):
        for number, key in enumerate(self.KEYS):
            with self.subTest(key=key):
                ca, leaf = f"ca{number}", f"leaf{number}"
                self.troth("init", "--common-name", ca, *key, "--passphrase", "")
                self.troth("request-cert", "--common-name", leaf, "--domain", "a.example,b.example", *key,
                           "--passphrase", "")
                self.certstrap("sign", leaf, "--CA", ca, "--passphrase", "")
                self.verify(leaf, ca, "-verify_hostname", "b.example")
                self.assertEqual(self.states()[leaf], "valid")
                self.certstrap("revoke", "--CN", leaf, "--CA", ca)
                self.assertEqual(self.states()[leaf], "revoked")

    def test_we_sign_and_revoke_with_certstraps_authority_and_request(self):
        for number, key in enumerate(self.KEYS):
            with self.subTest(key=key):
                ca, leaf = f"ca{number}", f"leaf{number}"
                self.certstrap("init", "--common-name", ca, *key, "--passphrase", "")
                self.certstrap("request-cert", "--common-name", leaf, "--domain", "a.example,b.example", *key,
                               "--passphrase", "")
                self.troth("sign", leaf, "--CA", ca)
                self.verify(leaf, ca, "-x509_strict", "-verify_hostname", "b.example")
                self.troth("revoke", "--CN", leaf, "--CA", ca, "--reason", "keyCompromise")
                self.assertEqual(self.crl_serials(ca), [self.serial(leaf)])
                self.assertEqual(self.states()[leaf], "revoked")

    def test_encrypted_keys_open_on_both_sides(self):
        for number, key in enumerate(self.KEYS[:2]):
            with self.subTest(key=key):
                for maker, make, signer in [("t", self.troth, self.certstrap), ("c", self.certstrap, self.troth)]:
                    ca, leaf = f"{maker}ca{number}", f"{maker}leaf{number}"
                    made = make("init", "--common-name", ca, *key, "--passphrase", "tea pot")
                    self.assertIn(f"out/{ca}.key (encrypted by passphrase)", made.stdout)
                    make("request-cert", "--common-name", leaf, *key, "--passphrase", "")
                    signer("sign", leaf, "--CA", ca, "--passphrase", "tea pot")
                    self.verify(leaf, ca)
        refused = self.troth("sign", "x", "--CA", "cca0", "--csr", "out/cleaf0.csr", "--passphrase", "wrong",
                             "--json", check=False)
        self.assertEqual(json.loads(refused.stdout)["reason"], "passphrase_wrong")

    def test_one_crl_written_in_turns_forgets_nothing_and_its_number_never_falls(self):
        self.troth("init", "--common-name", "ca", "--curve", "P-256", "--passphrase", "")
        numbers = []
        for turn, revoke in enumerate([self.troth, self.certstrap, self.troth, self.certstrap, self.troth]):
            leaf = f"leaf{turn}"
            self.troth("request-cert", "--common-name", leaf, "--curve", "P-256", "--passphrase", "")
            self.troth("sign", leaf, "--CA", "ca")
            revoke("revoke", "--CN", leaf, "--CA", "ca")
            self.assertEqual(sorted(self.crl_serials("ca")), sorted(self.serial(f"leaf{i}") for i in range(turn + 1)))
            self.assertEqual(self.states()[leaf], "revoked")
            number = openssl("crl", "-in", self.out / "ca.crl", "-noout", "-crlnumber").stdout.strip()
            if revoke == self.troth:
                numbers.append(int(number.split("=")[1], 16))
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_names_become_the_same_files(self):
        for maker in (self.troth, self.certstrap):
            depot = "t" if maker == self.troth else "c"
            for argv in [("init", "--common-name", "Cert  Auth"),
                         ("request-cert", "--common-name", "Cert  Host"),
                         ("request-cert", "--domain", "*.example.com"),
                         ("request-cert", "--uri", "spiffe://example.com/a/b")]:
                if maker == self.troth:
                    troth("ca", "--depot-path", depot, *argv, "--curve", "P-256", "--passphrase", "", cwd=self.folder)
                else:
                    run(self.certstrap_program, "--depot-path", depot, *argv, "--curve", "P-256", "--passphrase", "",
                        cwd=self.folder)
        names = [sorted(path.name for path in (self.folder / depot).iterdir()) for depot in "tc"]
        self.assertEqual(names[0], names[1])

    def test_an_intermediate_made_by_one_is_used_by_the_other(self):
        self.troth("init", "--common-name", "root", "--path-length", "1", "--curve", "P-256", "--passphrase", "")
        self.troth("request-cert", "--common-name", "issuer", "--curve", "P-256", "--passphrase", "")
        self.troth("sign", "issuer", "--CA", "root", "--intermediate")
        self.certstrap("request-cert", "--common-name", "leaf", "--domain", "leaf.example", "--passphrase", "")
        self.certstrap("sign", "leaf", "--CA", "issuer", "--passphrase", "")
        openssl("verify", "-CAfile", self.out / "root.crt", "-untrusted", self.out / "issuer.crt", self.out / "leaf.crt")
        self.assertEqual(self.troth("sign", "leaf", "--CA", "issuer", check=False).returncode, 73)


if __name__ == "__main__":
    unittest.main()
