"""packaging/nginx/troth-nginx-refresh: what it installs, what it keeps, and when it reloads nginx."""

import os
import time
import unittest

from troth_testing import SOURCE_DIR, TROTH, Authority, TestCase, openssl, run, tool, troth

REFRESH = SOURCE_DIR / "packaging" / "nginx" / "troth-nginx-refresh"


class NginxRefresh(TestCase):
    def setUp(self):
        super().setUp()
        for name in ("curl", "openssl", "flock"):
            tool(name)
        authority = Authority(self.folder / "authority")
        authority.__enter__()
        self.running = True
        self.authority = authority
        self.addCleanup(self.stop_authority)
        (self.folder / "policy.toml").write_text('[[rules]]\nmethods = ["*"]\nallow = ["authenticated"]\n')
        self.files = self.folder / "files"
        self.conf = self.folder / "site.conf"
        # Stands for nginx: notes what it is told, and refuses when it is to.
        self.nginx = self.folder / "nginx"
        self.nginx.write_text(f'#!/bin/sh\necho "$*" >>{self.folder}/told\ntest ! -e {self.folder}/refuse\n')
        self.nginx.chmod(0o755)
        (self.folder / "pid").write_text("1\n")
        (self.folder / "token").write_text(authority.token("db.example"))
        self.enroll("--token-file", self.folder / "token")

    def stop_authority(self):
        if self.running:
            self.running = False
            self.authority.__exit__()

    def enroll(self, *more):
        troth("enroll", self.authority.https, "db.example", "--cert-dir", self.folder, *more)

    def renew(self):
        self.enroll("--trust-bundle", self.folder / "authority" / "root.pem", "--renew-before", "90d")

    def refresh(self, check=True, **environment):
        return run(REFRESH, "--listen", "127.0.0.1:1", "--server-name", "db.example", "--certificate",
                   self.folder / "db.example.crt", "--private-key", self.folder / "db.example.key", "--upstream",
                   f"unix:{self.folder}/db.sock", "--policy", self.folder / "policy.toml", check=check,
                   env={"TROTH": TROTH, "TROTH_AUTHORITY": f"https://{self.authority.https}",
                        "TROTH_ROOT": str(self.folder / "authority" / "root.pem"), "TROTH_NGINX_FILES": str(self.files),
                        "TROTH_NGINX_CONF": str(self.conf), "TROTH_NGINX": str(self.nginx),
                        "TROTH_NGINX_PID": str(self.folder / "pid"), **environment})

    def told(self):
        """What nginx was told since the last time."""
        path = self.folder / "told"
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return text.splitlines()

    def test_what_is_new_is_tested_and_loaded_once(self):
        self.refresh()
        self.assertEqual(self.told(), ["-t -q", "-s reload"])
        self.assertIn("ssl_crl", self.conf.read_text())
        # Each issuer and the root, and a list of each, which openssl verifies with.
        leaf = self.folder / "db.example.crt"
        openssl("verify", "-crl_check_all", "-CRLfile", self.files / "crls.pem", "-CAfile", self.files / "ca.pem", leaf)
        for name in ("ca.pem", "crls.pem"):
            self.assertEqual((self.files / name).read_text().count("BEGIN"), 2)
            self.assertEqual((self.files / name).stat().st_mode & 0o777, 0o644)
        self.assertEqual([name for name in os.listdir(self.files) if name.startswith(".new")], [])

        self.refresh()
        self.assertEqual(self.told(), [])
        self.renew()
        self.refresh()
        self.assertEqual(self.told(), ["-t -q", "-s reload"])
        troth("certificates", "revoke", "db.example", "--data", self.folder / "authority")
        self.refresh()
        self.assertEqual(self.told(), ["-t -q", "-s reload"])
        done = openssl("verify", "-crl_check_all", "-CRLfile", self.files / "crls.pem", "-CAfile", self.files / "ca.pem", leaf,
                       check=False)
        self.assertIn("revoked", done.stderr)

    def test_a_new_issuer_comes_with_its_list(self):
        self.refresh()
        troth("issuer", "renew", "--data", self.folder / "authority")
        # The authority takes it over within seconds.
        deadline = time.monotonic() + 20
        while (self.files / "ca.pem").read_text().count("BEGIN") < 3:
            self.assertLess(time.monotonic(), deadline)
            self.refresh()
        self.renew()
        self.refresh()
        openssl("verify", "-crl_check_all", "-CRLfile", self.files / "crls.pem", "-CAfile", self.files / "ca.pem",
                self.folder / "db.example.crt")

    def test_without_the_authority_lists_stay_and_a_renewed_certificate_is_loaded(self):
        self.refresh()
        lists = (self.files / "crls.pem").read_text()
        self.renew()
        self.stop_authority()
        self.told()
        done = self.refresh(check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no new lists", done.stderr)
        self.assertEqual(self.told(), ["-t -q", "-s reload"])
        self.assertEqual((self.files / "crls.pem").read_text(), lists)

    def test_another_authority_is_not_believed(self):
        self.refresh()
        before = (self.files / "ca.pem").read_text()
        troth("ca", "--depot-path", self.folder / "other", "init", "--common-name", "other", "--curve", "P-256",
              "--passphrase", "")
        done = self.refresh(check=False, TROTH_ROOT=str(self.folder / "other" / "other.crt"))
        self.assertEqual(done.returncode, 1)
        self.assertEqual((self.files / "ca.pem").read_text(), before)

    def test_what_nginx_refuses_is_tried_again(self):
        (self.folder / "refuse").touch()
        self.assertNotEqual(self.refresh(check=False).returncode, 0)
        self.assertEqual(self.told(), ["-t -q"])
        (self.folder / "refuse").unlink()
        self.refresh()
        self.assertEqual(self.told(), ["-t -q", "-s reload"])

    def test_an_nginx_that_does_not_run_is_not_reloaded(self):
        (self.folder / "pid").unlink()
        self.refresh()
        self.assertEqual(self.told(), ["-t -q"])
        self.assertTrue(self.conf.exists())

    def test_a_key_of_another_certificate_changes_nothing(self):
        self.refresh()
        before = self.conf.read_text()
        self.told()
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.folder / "db.example.key")
        done = self.refresh(check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("key_mismatch", done.stderr)
        self.assertEqual(self.told(), [])
        self.assertEqual(self.conf.read_text(), before)

    def test_it_says_what_it_needs(self):
        for name in ("TROTH_AUTHORITY", "TROTH_ROOT", "TROTH_NGINX_FILES", "TROTH_NGINX_CONF"):
            done = self.refresh(check=False, **{name: ""})
            self.assertEqual(done.returncode, 64)
            self.assertIn(name, done.stderr)


if __name__ == "__main__":
    unittest.main()
