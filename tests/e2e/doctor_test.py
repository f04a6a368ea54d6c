"""`troth doctor`: exit codes, JSON, and commands that have a certificate issued anew, run as they are printed."""

import datetime
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from troth_testing import TROTH, TestCase, openssl, run, troth


class Doctor(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="troth-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        troth("certs", "generate", "--out", cls.made, "--key-type", "p256")

    def setUp(self):
        super().setUp()
        for name in ("server/server.pem", "server/server.key", "ca/ca.pem", "ca/ca.key"):
            shutil.copy(self.made / name, self.folder)

    def examine(self, *arguments):
        """The exit code and what --json says."""
        done = troth("--json", "doctor", *arguments, cwd=self.folder, check=False)
        return done.returncode, json.loads(done.stdout)

    def faults(self, *arguments):
        code, answer = self.examine(*arguments)
        faults = [f for f in answer["findings"] if f["severity"] == "fault"]
        self.assertEqual(code, 1 if faults else 0, answer)
        self.assertEqual(answer["healthy"], not faults)
        return faults

    def paste(self, command):
        """Runs what was printed, in a shell that finds this troth."""
        path = f"{pathlib.Path(TROTH).parent}{os.pathsep}{os.environ['PATH']}"
        run("sh", "-c", command, cwd=self.folder, env={"PATH": path})

    def test_a_healthy_tree_is_called_healthy(self):
        done = troth("doctor", "server.pem", "server.key", "ca.pem", "--purpose", "server",
                     "--server-name", "localhost", cwd=self.folder)
        self.assertTrue(done.stdout.startswith("healthy"), done.stdout)

    def test_a_fault_is_printed_with_evidence_and_the_command_that_mends_it(self):
        os.chmod(self.folder / "server.key", 0o644)
        done = troth("doctor", "server.pem", "server.key", "ca.pem", cwd=self.folder, check=False)
        self.assertEqual(done.returncode, 1)
        for part in ("[key_file_too_open]", "0600", "0644", "chmod 600 server.key"):
            self.assertIn(part, done.stdout)
        self.assertNotIn("PRIVATE KEY", done.stdout)

    def test_a_file_that_is_called_like_an_endpoint_is_a_file(self):
        shutil.copy(self.folder / "ca.pem", self.folder / "localhost:443")
        done = troth("doctor", "localhost:443", cwd=self.folder)
        self.assertIn("root CA", done.stdout)

    def test_a_wrong_call_is_a_usage_error(self):
        for arguments in ([], ["ca.pem", "--warn-before", "soon"], ["ca.pem", "--purpose", "both"],
                          ["ca.pem", "--server-name", "a b"], ["ca.pem", "--server-name", "*.example.com"],
                          ["db.example.com"]):
            self.assertEqual(troth("doctor", *arguments, cwd=self.folder, check=False).returncode, 64, arguments)

    def test_a_file_that_is_not_there_is_no_host(self):
        done = troth("doctor", "missing.pem", cwd=self.folder, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("file_not_found", done.stdout)

    @unittest.skipUnless(os.geteuid() == 0, "needs another user, to whom a file is closed")
    def test_a_file_that_cannot_be_read_is_a_fault(self):
        os.chmod(self.folder, 0o755)
        done = subprocess.run([TROTH, "--json", "doctor", "server.key"], cwd=self.folder, user=65534, group=65534,
                              extra_groups=[], text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual([f["reason"] for f in json.loads(done.stdout)["findings"]], ["file_unreadable"])

    def request(self, *extensions, subject="/CN=localhost"):
        """Makes server.csr, and server.ext with these extensions."""
        openssl("req", "-new", "-utf8", "-key", "server.key", "-subj", subject, "-out", "server.csr", cwd=self.folder)
        (self.folder / "server.ext").write_text("".join(f"{e}\n" for e in extensions))

    def issue(self, *extensions, days=90, digest="sha256", subject="/CN=localhost"):
        """Has openssl issue server.pem by ca.pem, with these extensions."""
        self.request(*extensions, subject=subject)
        openssl("x509", "-req", f"-{digest}", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", str(days), "-extfile", "server.ext", "-out", "server.pem", cwd=self.folder)

    def issue_for(self, start, end, *extensions):
        """The same, from so many days from now to so many."""
        self.request(*extensions)
        (self.folder / "index.txt").touch()
        (self.folder / "ca.conf").write_text("""
            [ca]
            default_ca = d
            [d]
            database = index.txt
            new_certs_dir = .
            serial = serial
            unique_subject = no
            default_md = sha256
            policy = p
            [p]
            commonName = supplied
        """)
        now = datetime.datetime.now(datetime.timezone.utc)
        times = [(now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ") for days in (start, end)]
        openssl("ca", "-batch", "-notext", "-create_serial", "-config", "ca.conf", "-cert", "ca.pem",
                "-keyfile", "ca.key", "-startdate", times[0], "-enddate", times[1], "-extfile", "server.ext",
                "-in", "server.csr", "-out", "server.pem", cwd=self.folder)

    def lifetime(self):
        """How many days server.pem lives."""
        times = openssl("x509", "-noout", "-startdate", "-enddate", "-in", "server.pem", cwd=self.folder).stdout
        start, end = (datetime.datetime.strptime(line.split("=")[1], "%b %d %H:%M:%S %Y %Z")
                      for line in times.splitlines())
        return round((end - start) / datetime.timedelta(days=1))

    def test_with_the_ca_s_key_the_printed_command_issues_the_certificate_anew(self):
        name = "subjectAltName=DNS:localhost"
        both = "extendedKeyUsage=serverAuth,clientAuth"
        cases = {
            "certificate_expired": lambda: self.issue_for(-40, -10, name, both),
            "certificate_not_yet_valid": lambda: self.issue_for(10, 40, name, both),
            "names_missing": lambda: self.issue(both),
            "name_mismatch": lambda: self.issue("subjectAltName=DNS:elsewhere", both),
            "usage_not_allowed": lambda: self.issue(name, "extendedKeyUsage=clientAuth"),
            "algorithm_not_allowed": lambda: self.issue(name, both, digest="sha1"),
        }
        arguments = ("server.pem", "server.key", "ca.pem", "ca.key", "--purpose", "server",
                     "--server-name", "localhost")
        for reason, make in cases.items():
            with self.subTest(reason):
                make()
                os.chmod(self.folder / "server.pem", 0o640)
                lifetime = self.lifetime()
                faults = self.faults(*arguments)
                self.assertEqual([f["reason"] for f in faults], [reason])
                self.paste(faults[0]["command"])
                self.assertEqual(self.faults(*arguments), [])
                self.assertEqual(self.lifetime(), lifetime)
                self.assertEqual((self.folder / "server.pem").stat().st_mode & 0o777, 0o640)

    def test_a_certificate_issued_anew_keeps_a_subject_beyond_ascii(self):
        subject = "/O=Tanúsítvány/CN=localhost"
        self.issue("extendedKeyUsage=serverAuth,clientAuth", subject=subject)
        shown = ("x509", "-noout", "-subject", "-nameopt", "utf8,sep_comma_plus", "-in", "server.pem")
        before = openssl(*shown, cwd=self.folder).stdout
        faults = self.faults("server.pem", "server.key", "ca.pem", "ca.key", "--purpose", "server")
        self.paste(faults[0]["command"])
        self.assertEqual(openssl(*shown, cwd=self.folder).stdout, before)
        self.assertIn("Tanúsítvány", before)

    def test_no_command_would_make_a_servers_certificate_one_for_clients_too(self):
        self.issue_for(-40, -10, "subjectAltName=DNS:localhost", "extendedKeyUsage=serverAuth")
        faults = self.faults("server.pem", "server.key", "ca.pem", "ca.key")
        self.assertEqual([(f["reason"], f["command"]) for f in faults], [("certificate_expired", None)])

    def test_the_system_s_trust_bundle_is_healthy_in_a_few_lines(self):
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        if not os.path.exists(bundle):
            self.skipTest("no ca-certificates")
        done = troth("doctor", bundle, cwd=self.folder)
        self.assertLess(len(done.stdout.splitlines()), 30, done.stdout)

    def test_no_command_is_offered_without_the_ca_s_key(self):
        self.issue("extendedKeyUsage=serverAuth")
        faults = self.faults("server.pem", "server.key", "ca.pem", "--server-name", "localhost")
        self.assertEqual([(f["reason"], f["command"]) for f in faults], [("names_missing", None)])

    def test_the_attestor_seed_s_answers_are_explained(self):
        subject = "/C=AU/ST=Some-State/O=Internet Widgits Pty Ltd"
        openssl("req", "-new", "-x509", "-key", "ca.key", "-subj", subject, "-out", "ca.pem", "-days", "90",
                cwd=self.folder)
        self.issue(subject=subject)
        faults = self.faults("server.pem", "server.key", "ca.pem", "--purpose", "client")
        self.assertEqual([f["reason"] for f in faults], ["certificate_self_signed"])


if __name__ == "__main__":
    unittest.main()
