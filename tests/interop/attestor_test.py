"""examples/attestor: its story with a real nginx, and what its programs say about files that they cannot use."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

from troth_testing import BINARY_DIR, SOURCE_DIR, TestCase, openssl, run, tool, troth

EXAMPLE = SOURCE_DIR / "examples" / "attestor"
PROGRAMS = {name: BINARY_DIR / name for name in ("attestor", "db_service")}


def need_programs(test):
    if not all(os.access(path, os.X_OK) for path in PROGRAMS.values()):
        test.skipTest("built without the examples")


class Story(TestCase):
    def setUp(self):
        super().setUp()
        need_programs(self)
        for name in ("curl", "jq", "openssl"):
            tool(name)
        if not os.access("/usr/sbin/nginx", os.X_OK):
            tool("nginx")
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.environment = {**os.environ, "TROTH_BINARY_DIR": str(BINARY_DIR), "TMPDIR": str(self.temporary)}

    def left(self):
        """Command lines of processes that work in our folder, and its files."""
        lines = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                folder = os.readlink(process / "cwd")
            except OSError:
                continue
            if str(self.temporary) in line or folder.startswith(str(self.temporary)):
                lines.append(line)
        return lines + os.listdir(self.temporary)

    def start(self, script=EXAMPLE / "run.sh"):
        return subprocess.Popen([script], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                env=self.environment)

    def test_all_goes_as_it_should_and_nothing_is_left(self):
        process = self.start()
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, out)
        summary = re.search(r"== (\d+) checks in \d+ s: (\d+) as they should be, 0 not", out)
        self.assertIsNotNone(summary, out)
        self.assertGreater(int(summary.group(1)), 20)
        self.assertEqual(summary.group(1), summary.group(2))
        load = re.search(r"(\d+) requests on (\d+) connections: 0 refused", out)
        self.assertIsNotNone(load, out)
        self.assertGreater(int(load.group(1)), int(load.group(2)))
        self.assertEqual(self.left(), [])

    def test_it_notices_a_policy_that_lets_observers_sign(self):
        for name in ("examples/attestor", "packaging/nginx"):
            shutil.copytree(SOURCE_DIR / name, self.folder / name)
        policy = self.folder / "examples" / "attestor" / "policy.toml"
        text = policy.read_text()
        changed = text.replace('allow   = ["attestor"]', 'allow   = ["attestor", "observer"]')
        self.assertNotEqual(changed, text)
        policy.write_text(changed)
        process = self.start(self.folder / "examples" / "attestor" / "run.sh")
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 1, out)
        wrong = [line for line in out.splitlines() if "NOT AS IT SHOULD BE" in line]
        # What the policy lets through, the db-service refuses all the same.
        self.assertEqual(len(wrong), 1, out)
        self.assertIn("403", wrong[0])
        self.assertEqual(self.left(), [])

    def test_stopped_on_the_way_it_leaves_nothing(self):
        process = self.start()
        for line in process.stdout:
            if "The attestors sign" in line:
                break
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 143, out)
        self.assertEqual(self.left(), [])


class Programs(TestCase):
    def setUp(self):
        super().setUp()
        need_programs(self)
        pki = self.folder / "pki"
        self.ca = ("ca", "--depot-path", pki)
        troth(*self.ca, "init", "--common-name", "ca", "--curve", "P-256", "--passphrase", "")
        self.issue("one.attestors.example")
        self.key("signing.key")
        openssl("pkey", "-in", self.folder / "signing.key", "-pubout", "-out", self.folder / "one.pub")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.closed = probe.getsockname()[1]

    def issue(self, name, *more):
        troth(*self.ca, "request-cert", "--common-name", name, *(more or ("--domain", name)), "--curve", "P-256",
              "--passphrase", "")
        troth(*self.ca, "sign", name, "--CA", "ca")

    def key(self, name, *more):
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.folder / name, *more)

    def attestor_toml(self, **replaced):
        values = {"ca_certificate": "pki/ca.crt", "attestor_certificate": "pki/one.attestors.example.crt",
                  "attestor_key": "pki/one.attestors.example.key", "signing_key": "signing.key",
                  "db_service": f"https://127.0.0.1:{self.closed}", "poll_interval": "20ms", **replaced}
        (self.folder / "attestor.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in values.items()))

    def test_an_attestor_says_which_file_is_wrong_and_what_to_do(self):
        self.issue("nobody", "--uri", "spiffe://attestors.example/nobody")
        troth(*self.ca, "init", "--common-name", "foreign", "--curve", "P-256", "--passphrase", "")
        self.key("encrypted.key", "-aes256", "-pass", "pass:x")
        openssl("x509", "-in", self.folder / "pki" / "ca.crt", "-outform", "DER", "-out", self.folder / "ca.der")
        for name, value, reason in (
                ("ca_certificate", "none.pem", "file_not_found"),
                ("ca_certificate", "ca.der", "file_wrong_format"),
                ("ca_certificate", "pki/foreign.crt", "issuer_unknown"),
                ("attestor_certificate", "none.pem", "file_not_found"),
                ("attestor_certificate", "pki/ca.crt", "key_mismatch"),
                ("attestor_key", "none.key", "file_not_found"),
                ("attestor_key", "signing.key", "key_mismatch"),
                ("signing_key", "none.key", "file_not_found"),
                ("signing_key", "encrypted.key", "key_encrypted"),
                ("signing_key", "one.pub", "key_malformed"),
                ("db_service", "http://db.example", "configuration_invalid"),
                ("polling_interval", "1s", "configuration_invalid")):
            with self.subTest(name, value=value):
                self.attestor_toml(**{name: value})
                done = run(PROGRAMS["attestor"], "--config", "attestor.toml", cwd=self.folder, check=False)
                self.assertNotIn(done.returncode, (0, 1))
                self.assertIn(f"[{reason}]", done.stderr)
                self.assertIn("fix: ", done.stderr)
                # The file, or the key of the configuration.
                self.assertRegex(done.stderr, rf"{re.escape(value)}|\"{name}\"")
        self.attestor_toml(attestor_certificate="pki/nobody.crt", attestor_key="pki/nobody.key")
        done = run(PROGRAMS["attestor"], "--config", "attestor.toml", cwd=self.folder, check=False)
        self.assertIn("[names_missing]", done.stderr)

    def test_help_is_no_error_and_arguments_come_in_any_order(self):
        for program in PROGRAMS.values():
            done = run(program, "--help", check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("usage: ", done.stdout)
            for arguments in ((), ("--config",), ("--config", "x", "y"), ("--config", "x", "--config", "y")):
                self.assertEqual(run(program, *arguments, check=False).returncode, 64)
        self.assertEqual(run(PROGRAMS["db_service"], "--config", "x", "--once", check=False).returncode, 64)
        self.attestor_toml()
        once = run(PROGRAMS["attestor"], "--once", "--config", "attestor.toml", cwd=self.folder, check=False)
        self.assertIn("[connection_failed]", once.stderr)

    def test_the_load_says_in_json_what_failed(self):
        self.attestor_toml(server_name="no name")
        process = subprocess.Popen([BINARY_DIR / "attestor_load", "--config", "attestor.toml"], cwd=self.folder,
                                   stdout=subprocess.PIPE, text=True)
        first = process.stdout.readline()
        process.terminate()
        out, _ = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 1)
        for line in (first, *out.splitlines()):
            said = json.loads(line)
            self.assertGreater(said["failures"], 0)
            self.assertIn('"no name"', said["first_failure"])

    def test_an_attestor_waits_for_a_service_that_is_away(self):
        self.attestor_toml()
        once = run(PROGRAMS["attestor"], "--config", "attestor.toml", "--once", cwd=self.folder, check=False)
        self.assertEqual(once.returncode, 69)
        self.assertIn("[connection_failed]", once.stderr)
        with open(self.folder / "log", "w") as log:
            process = subprocess.Popen([PROGRAMS["attestor"], "--config", "attestor.toml"], cwd=self.folder, stderr=log,
                                       stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while (self.folder / "log").read_text().count("[connection_failed]") < 3:
                self.assertLess(time.monotonic(), deadline)
                self.assertIsNone(process.poll())
                time.sleep(0.02)
        finally:
            process.terminate()
            self.assertEqual(process.wait(timeout=10), 0)

    def test_a_db_service_says_what_is_wrong_and_what_to_do(self):
        good = {"listen": '"unix:http.sock"', "database": '"packets.db"', "threshold": "1"}
        for change, key, reason in (
                ({"listen": '"127.0.0.1:0"'}, "one.pub", "configuration_invalid"),
                ({"listen": '"unix:none/http.sock"'}, "one.pub", "connection_failed"),
                ({"database": '"none/packets.db"'}, "one.pub", "store_failed"),
                ({"threshold": "2"}, "one.pub", "configuration_invalid"),
                ({}, "none.pub", "file_not_found"),
                ({}, "signing.key", "key_malformed")):
            with self.subTest(reason, **change, key=key):
                lines = [f"{name} = {value}" for name, value in {**good, **change}.items()]
                lines += ["[attestors]", f'"one.attestors.example" = "{key}"']
                (self.folder / "db.toml").write_text("\n".join(lines))
                done = run(PROGRAMS["db_service"], "--config", "db.toml", cwd=self.folder, check=False)
                self.assertNotIn(done.returncode, (0, 1))
                self.assertIn(f"[{reason}]", done.stderr)
                self.assertIn("fix: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
