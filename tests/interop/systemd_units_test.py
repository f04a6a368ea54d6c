"""The units of packaging/systemd, as systemd itself reads them."""

import os
import pathlib
import re
import unittest

from troth_testing import SOURCE_DIR, TROTH, TestCase, run, tool

UNITS = SOURCE_DIR / "packaging" / "systemd"
REFRESH = SOURCE_DIR / "packaging" / "nginx" / "troth-nginx-refresh"


class SystemdUnits(TestCase):
    def setUp(self):
        super().setUp()
        # As they would be installed, with the program where it is here.
        for unit in UNITS.glob("troth-*"):
            text = unit.read_text().replace("/usr/local/bin/troth-nginx-refresh", str(REFRESH))
            self.put(unit.name, text.replace("/usr/local/bin/troth", str(pathlib.Path(TROTH).resolve())))
        self.put("db.service", "[Unit]\nDescription=A service that needs a certificate\n\n[Service]\nExecStart=/bin/true\n")
        drop_in = (UNITS / "example.service.d" / "10-certificate.conf").read_text()
        self.put("db.service.d/10-certificate.conf", drop_in)

    def put(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def verify(self, *units):
        """What `systemd-analyze verify` says about units of the folder, and about nothing else."""
        done = run(tool("systemd-analyze"), "verify", "--man=no", *units, cwd=self.folder, check=False,
                   env={"SYSTEMD_UNIT_PATH": f"{self.folder}:"})
        ours = [line for line in done.stderr.splitlines() if re.search(r"troth|db\.service|certificate\.conf", line)]
        return done.returncode, ours

    def test_service_and_timer_are_understood(self):
        for unit in ("troth-enroll@pump-7.example.com.service", "troth-enroll@pump-7.example.com.timer", "troth-serve.service",
                     "troth-policy.service", "troth-nginx.service", "troth-nginx.timer", "troth-nginx.path"):
            self.assertEqual(self.verify(unit), (0, []), unit)

    def test_a_service_with_the_drop_in_is_understood(self):
        self.assertEqual(self.verify("db.service"), (0, []))

    def test_a_broken_unit_is_noticed(self):
        text = (self.folder / "troth-enroll@.service").read_text()
        for broken in (text.replace("Type=oneshot", "Type=onceshot"), text.replace("ProtectSystem=", "ProtectSistem="),
                       text.replace("ExecStart=/", "ExecStart=/nowhere/")):
            self.assertNotEqual(broken, text)
            self.put("troth-enroll@.service", broken)
            self.assertNotEqual(self.verify("troth-enroll@x.service"), (0, []))

    def test_it_starts_the_program_with_options_that_it_has(self):
        text = (self.folder / "troth-enroll@.service").read_text()
        command = re.search(r"^ExecStart=(.*)$", text, re.M).group(1).replace("$TROTH_ENROLL_OPTIONS", "--key-type rsa2048")
        environment = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.M))
        environment = {name: value.replace("%i", "pump-7").replace("%S", str(self.folder)) for name, value in environment.items()}
        done = run(*command.split(), check=False, env={**environment, "CARAMEL_CA": "127.0.0.1:1"})
        # Everything was understood; nothing says whom to believe.
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("fingerprint", done.stderr)
        self.assertNotIn("--help", done.stdout)

    def test_the_authority_starts_with_options_that_it_has(self):
        text = (self.folder / "troth-serve.service").read_text()
        options = re.search(r"^#   TROTH_SERVE_OPTIONS=(.*)$", text, re.M).group(1)
        more = re.search(r'^#   Environment=TROTH_SERVE_MORE="(.*)"$', text, re.M).group(1).replace("%d", str(self.folder))
        command = re.search(r"^ExecStart=(.*)$", text, re.M).group(1).replace("%S", str(self.folder))
        command = command.replace("$TROTH_SERVE_OPTIONS", options).replace("$TROTH_SERVE_MORE", more)
        done = run(*command.split(), check=False)
        # Everything was understood; the passphrase's file is not there.
        self.assertEqual(done.returncode, 66, done.stderr)
        self.assertIn("file_not_found", done.stderr)
        self.assertFalse((self.folder / "troth-authority").exists())

    def test_nginx_is_kept_fresh_with_options_that_there_are(self):
        text = (self.folder / "troth-nginx.service").read_text()
        said = dict(re.findall(r"^#   (TROTH_\w+)=(.*)$", text, re.M))
        environment = {name: value.replace("%S", str(self.folder))
                       for name, value in re.findall(r"^Environment=(\w+)=(.*)$", text, re.M)}
        command = re.search(r"^ExecStart=(.*)$", text, re.M).group(1)
        command = command.replace("$TROTH_NGINX_READS", said.pop("TROTH_NGINX_READS"))
        done = run(*command.split(), check=False, env={**environment, **said})
        # Everything was understood; the root is not there.
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("file_not_found", done.stderr)
        self.assertIn(said["TROTH_ROOT"], done.stderr)

    def test_what_they_may_do_is_little(self):
        for unit, most in (("troth-enroll@.service", 5.0), ("troth-serve.service", 2.5), ("troth-policy.service", 2.5),
                           ("troth-nginx.service", 5.0)):
            done = run(tool("systemd-analyze"), "security", "--offline=yes", unit, cwd=self.folder, check=False,
                       env={"SYSTEMD_UNIT_PATH": f"{self.folder}:"})
            exposure = re.search(r"exposure level for troth-\S+: ([\d.]+)", done.stdout)
            self.assertIsNotNone(exposure, done.stdout + done.stderr)
            self.assertLess(float(exposure.group(1)), most, done.stdout)


if __name__ == "__main__":
    os.environ.setdefault("SYSTEMD_LOG_LEVEL", "warning")
    unittest.main()
