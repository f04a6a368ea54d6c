"""packaging/nginx/troth-nginx-refresh and `troth trust fetch`: what they install, what they keep, and when nginx is reloaded."""

import fcntl
import http.client
import http.server
import json
import os
import pathlib
import re
import ssl
import subprocess
import threading
import time
import unittest

from troth_testing import SOURCE_DIR, TROTH, Authority, TestCase, openssl, run, tool, troth

REFRESH = SOURCE_DIR / "packaging" / "nginx" / "troth-nginx-refresh"


def blocks(text):
    """The PEM blocks of a text."""
    return re.findall(r"-----BEGIN .*?-----END [^\n]*-----\n", text, re.S)


class FilesOfAnAuthority(TestCase):
    """An authority that runs, and a folder for its CAs and lists."""

    def setUp(self):
        super().setUp()
        tool("openssl")
        self.authority = Authority(self.folder / "authority")
        self.authority.__enter__()
        self.running = True
        self.addCleanup(self.stop_authority)
        self.root = self.folder / "authority" / "root.pem"
        self.files = self.folder / "files"

    def stop_authority(self):
        if self.running:
            self.running = False
            self.authority.__exit__()

    def enroll(self, name, *more):
        (self.folder / "token").write_text(self.authority.token(name))
        troth("enroll", self.authority.https, name, "--cert-dir", self.folder, "--token-file", self.folder / "token", *more)

    def fetch(self, *more, server=None, root=None, check=True, env=None):
        return troth("trust", "fetch", server or self.authority.https, "--trust-bundle", root or self.root, "--out-dir", self.files,
                     *more, check=check, env=env)

    def present(self):
        return {name: (self.files / name).read_text() for name in ("ca.pem", "crls.pem")}

    def verify(self, name):
        """What openssl says about a certificate, with the two files."""
        return openssl("verify", "-crl_check_all", "-CRLfile", self.files / "crls.pem", "-CAfile", self.files / "ca.pem",
                       "-no-CApath", "-no-CAstore", self.folder / f"{name}.crt", check=False).stderr

    def renew_issuer(self):
        """Has the authority take over one more issuer."""
        before = len(self.answer_of_the_authority()["issuers"])
        troth("issuer", "renew", "--data", self.folder / "authority")
        deadline = time.monotonic() + 20
        while len(self.answer_of_the_authority()["issuers"]) == before:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def answer_of_the_authority(self):
        context = ssl.create_default_context(cafile=self.root)
        connection = http.client.HTTPSConnection(self.authority.https, context=context, timeout=10)
        connection.request("GET", "/v1/trust")
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        body = json.loads(answer.read())
        connection.close()
        return body


class Fetch(FilesOfAnAuthority):
    def test_it_writes_what_verifies_and_only_what_is_new(self):
        self.enroll("db.example")
        said = json.loads(self.fetch("--json").stdout)
        self.assertEqual(said["changed"], [str(self.files / "crls.pem"), str(self.files / "ca.pem")])
        self.assertEqual(self.verify("db.example"), "")
        for name in ("ca.pem", "crls.pem"):
            self.assertEqual(len(blocks((self.files / name).read_text())), 2)
            self.assertEqual((self.files / name).stat().st_mode & 0o777, 0o644)
        self.assertEqual(sorted(os.listdir(self.files)), ["ca.pem", "crls.pem"])
        times = [(self.files / name).stat().st_mtime_ns for name in ("ca.pem", "crls.pem")]
        self.assertIn("unchanged", self.fetch().stdout)
        self.assertEqual([(self.files / name).stat().st_mtime_ns for name in ("ca.pem", "crls.pem")], times)

        # Who has opened a file goes on seeing all of it: another one takes its place.
        old = (self.files / "crls.pem").open()
        self.addCleanup(old.close)
        before = self.present()["crls.pem"]
        troth("certificates", "revoke", "db.example", "--data", self.folder / "authority")
        said = json.loads(self.fetch("--json").stdout)
        self.assertEqual(old.read(), before)
        self.assertEqual((said["changed"], said["revoked"]), ([str(self.files / "crls.pem")], 1))
        self.assertIn("revoked", self.verify("db.example"))

    def test_a_new_issuer_comes_with_its_list(self):
        self.fetch()
        self.renew_issuer()
        self.fetch()
        for name in ("ca.pem", "crls.pem"):
            self.assertEqual(len(blocks((self.files / name).read_text())), 3)
        self.enroll("new.example")
        self.assertEqual(self.verify("new.example"), "")

    def test_an_issuer_whose_key_is_gone_holds_up_no_other(self):
        """Nor do gaps: what there is, is what counts."""
        for _ in range(2):
            self.renew_issuer()
        self.stop_authority()
        keys = list((self.folder / "authority").glob("issuer.*.key"))
        self.assertEqual(len(keys), 2)
        for key in keys:
            key.unlink()
        for number in (1, 2):
            for path in (self.folder / "authority").rglob(f"{number}.crl"):
                path.unlink()
        self.authority = Authority(self.folder / "authority")
        self.authority.__enter__()
        self.running = True
        done = self.fetch(check=False)
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("[revocation_unknown]", done.stderr)
        self.enroll("new.example")
        self.assertEqual(self.verify("new.example"), "")

    def test_one_run_at_a_time(self):
        self.fetch()
        folder = os.open(self.files, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        fcntl.flock(folder, fcntl.LOCK_EX)
        waiting = subprocess.Popen([TROTH, "trust", "fetch", self.authority.https, "--trust-bundle", self.root, "--out-dir",
                                    self.files], stdout=subprocess.PIPE, text=True)
        with self.assertRaises(subprocess.TimeoutExpired):
            waiting.wait(timeout=1)
        fcntl.flock(folder, fcntl.LOCK_UN)
        self.assertIn("unchanged", waiting.communicate(timeout=20)[0])
        self.assertEqual(waiting.returncode, 0)

    def test_files_that_are_damaged_are_written_anew(self):
        self.fetch()
        good = self.present()
        for damaged in ("", "hello\n", good["ca.pem"][:100]):
            for name in good:
                (self.files / name).write_text(damaged)
            done = self.fetch()
            self.assertIn("written anew", done.stderr)
            self.assertEqual(self.present(), good)

    def test_a_one_tier_authority_has_its_root(self):
        with Authority(self.folder / "one-tier", "--one-tier") as one:
            troth("trust", "fetch", one.https, "--trust-bundle", self.folder / "one-tier" / "root.pem", "--out-dir", self.files)
            self.assertEqual((self.files / "ca.pem").read_text(), (self.folder / "one-tier" / "root.pem").read_text())
            self.assertEqual(len(blocks((self.files / "crls.pem").read_text())), 1)

    def test_it_needs_the_root_alone(self):
        for name, text, code in (("none", "hello\n", 65), ("two", self.root.read_text() * 2, 65)):
            (self.folder / name).write_text(text)
            self.assertEqual(self.fetch(root=self.folder / name, check=False).returncode, code)
        self.assertEqual(self.fetch(root=self.folder / "missing", check=False).returncode, 66)
        self.assertEqual(self.fetch(server="http://ca.example", check=False).returncode, 64)


class Answers(FilesOfAnAuthority):
    """What a server that the root vouches for may say, and what becomes of it."""

    def setUp(self):
        super().setUp()
        self.enroll("localhost")
        troth("ca", "--depot-path", self.folder / "other", "init", "--common-name", "other", "--curve", "P-256",
              "--passphrase", "")
        self.other = self.folder / "other" / "other.crt"
        self.fake = self.serve(self.folder / "localhost.crt", self.folder / "localhost.key")
        self.older = self.answer_of_the_authority()
        self.enroll("gone.example")
        troth("certificates", "revoke", "gone.example", "--data", self.folder / "authority")
        self.good = self.answer_of_the_authority()
        self.fetch()
        self.assertIn("revoked", self.verify("gone.example"))

    def serve(self, certificate, key):
        """The address of a server that answers self.answer to whatever it is asked."""
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                try:
                    for piece in test.answer:
                        self.wfile.write(piece)
                except OSError:
                    pass  # the client has had enough

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.handle_error = lambda *_: None  # a client that did not believe it
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"localhost:{server.server_address[1]}"

    def told(self, answer, **options):
        if isinstance(answer, dict):
            answer = json.dumps(answer).encode()
        self.answer = [answer] if isinstance(answer, bytes) else answer
        return self.fetch(server=self.fake, check=False, **options)

    def list_of(self, certificate, key, begin, end):
        """A list that openssl signs, for times as it wants them."""
        config = self.folder / "openssl.cnf"
        (self.folder / "index").write_text("")
        (self.folder / "number").write_text("7FFFFFFFFFFFFFFF\n")  # the newest of all
        config.write_text(f"[ca]\ndefault_ca = x\n[x]\ndatabase = {self.folder}/index\ncrlnumber = {self.folder}/number\n"
                          "default_md = sha256\ncrl_extensions = e\n[e]\nauthorityKeyIdentifier = keyid\n")
        return openssl("ca", "-config", config, "-gencrl", "-cert", certificate, "-keyfile", key, "-crl_lastupdate", begin,
                       "-crl_nextupdate", end).stdout

    def around_now(self):
        return [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds)) for seconds in (-60, 3600)]

    def test_the_fake_server_is_believed_when_it_says_what_the_authority_says(self):
        done = self.told(self.good)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("unchanged", done.stdout)

    def test_what_cannot_be_believed_changes_nothing(self):
        other_list = (self.folder / "other" / "other.crl").read_text()
        whole = json.dumps(self.good).encode()
        # In the issuer's name, with another key.
        key, request, forger = (self.folder / f"forger.{end}" for end in ("key", "csr", "pem"))
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        openssl("x509", "-x509toreq", "-in", self.folder / "authority" / "issuer.pem", "-signkey", key, "-out", request)
        openssl("req", "-x509", "-in", request, "-key", key, "-out", forger)
        forged = self.list_of(forger, key, *self.around_now())
        rows = {
            "truncated": (whole[: len(whole) // 2], "response_malformed"),
            "truncated PEM": ({**self.good, "crls": self.good["crls"][:-80]}, "response_malformed"),
            "HTML": (b"<html>hello</html>", "response_malformed"),
            "nothing": (b"", "response_malformed"),
            "huge": ([b" " * (1 << 20)] * 80, "response_too_large"),
            "foreign issuer": ({**self.good, "issuers": self.good["issuers"] + self.other.read_text()},
                               "certificate_self_signed"),
            "foreign root": ({"trust_bundle": self.other.read_text(), "issuers": self.other.read_text(), "crls": other_list},
                             "certificate_self_signed"),
            "a leaf as issuer": ({**self.good, "issuers": blocks((self.folder / "gone.example.crt").read_text())[0]},
                                 "not_a_certificate_authority"),
            "forged list": ({**self.good, "crls": forged + self.good["crls"]}, "signature_invalid"),
            "foreign list": ({**self.good, "crls": self.good["crls"] + other_list}, "signature_invalid"),
        }
        before = self.present()
        for name, (answer, reason) in rows.items():
            with self.subTest(name):
                done = self.told(answer)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(f"[{reason}]", done.stderr)
                self.assertEqual(self.present(), before)

    def test_lists_that_are_missing_or_expired_fail_and_the_present_ones_stay(self):
        issuers, root = blocks(self.good["crls"])
        expired = self.list_of(self.folder / "authority" / "issuer.pem", self.folder / "authority" / "issuer.key",
                               "20250101000000Z", "20250102000000Z")
        before = self.present()
        for name, lists, reason in (("none of the issuer", root, "revocation_unknown"),
                                    ("none of the root", issuers, "revocation_unknown"), ("none", "", "revocation_unknown"),
                                    ("expired", expired + root, "crl_expired")):
            with self.subTest(name):
                done = self.told({**self.good, "crls": lists})
                self.assertEqual(done.returncode, 65, done.stderr)
                self.assertIn(f"[{reason}]", done.stderr)
                self.assertEqual(self.present(), before)

    def test_an_issuer_that_has_expired_needs_no_list(self):
        config = self.folder / "ended.cnf"
        (self.folder / "ended.index").write_text("")
        config.write_text(f"[ca]\ndefault_ca = x\n[x]\ndatabase = {self.folder}/ended.index\nnew_certs_dir = {self.folder}\n"
                          "rand_serial = yes\ndefault_md = sha256\npolicy = p\nx509_extensions = v\n[p]\ncommonName = supplied\n"
                          "[v]\nbasicConstraints = critical,CA:true\nkeyUsage = critical,keyCertSign,cRLSign\n"
                          "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n")
        key, request, ended = (self.folder / f"ended.{end}" for end in ("key", "csr", "pem"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", key, "-out", request,
                "-subj", "/CN=ended")
        openssl("ca", "-batch", "-notext", "-config", config, "-in", request, "-out", ended, "-cert", self.root, "-keyfile",
                self.folder / "authority" / "root.key", "-startdate", "20250101000000Z", "-enddate", "20250201000000Z")
        expired = self.list_of(ended, key, "20250101000000Z", "20250102000000Z")
        before = self.present()
        for lists in ("", expired):
            done = self.told({**self.good, "issuers": ended.read_text() + self.good["issuers"], "crls": lists + self.good["crls"]})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.present(), before)
        # It is no reason either to keep what is here of it.
        (self.files / "ca.pem").write_text(ended.read_text() + before["ca.pem"])
        done = self.told(self.good)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no longer trusted", done.stderr)
        self.assertEqual(self.present(), before)

    def test_an_older_list_does_not_let_in_again_who_was_revoked(self):
        self.assertNotEqual(self.older["crls"], self.good["crls"])
        before = self.present()
        done = self.told(self.older)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("older", done.stderr)
        self.assertEqual(self.present(), before)

    def test_an_issuer_that_is_missing_is_kept_and_said(self):
        before = self.present()
        root = blocks(self.good["crls"])[-1]
        for answer in ({**self.good, "issuers": ""}, {**self.good, "issuers": "", "crls": root},
                       {**self.good, "issuers": self.root.read_text(), "crls": root}):
            done = self.told(answer)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("warning:", done.stderr)
            self.assertEqual(self.present(), before)

    def test_a_list_of_this_moment_is_taken_from_whoever_brings_it(self):
        fresh = self.list_of(self.folder / "authority" / "issuer.pem", self.folder / "authority" / "issuer.key",
                             *self.around_now())
        done = self.told({**self.good, "crls": fresh + blocks(self.good["crls"])[-1]})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(blocks((self.files / "crls.pem").read_text())[0], blocks(fresh)[0])

    def test_public_cas_of_the_system_are_nobody(self):
        """Neither for the connection, nor as issuers."""
        system = self.folder / "system"
        system.mkdir()
        (system / "all.pem").write_text(self.other.read_text())
        name = openssl("x509", "-in", self.other, "-noout", "-hash").stdout.strip()
        (system / f"{name}.0").write_text(self.other.read_text())
        env = {"SSL_CERT_DIR": str(system), "SSL_CERT_FILE": str(system / "all.pem"), "CURL_CA_BUNDLE": str(system / "all.pem")}
        before = self.present()
        done = self.told({**self.good, "issuers": self.other.read_text() + self.good["issuers"],
                          "crls": self.good["crls"] + (self.folder / "other" / "other.crl").read_text()}, env=env)
        self.assertIn("[certificate_self_signed]", done.stderr)
        self.assertEqual(self.present(), before)

        depot = ("ca", "--depot-path", self.folder / "other")
        troth(*depot, "request-cert", "--common-name", "localhost", "--domain", "localhost", "--curve", "P-256", "--passphrase", "")
        troth(*depot, "sign", "localhost", "--CA", "other")
        self.fake = self.serve(self.folder / "other" / "localhost.crt", self.folder / "other" / "localhost.key")
        done = self.told(self.older, env=env)
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("[issuer_unknown]", done.stderr)
        self.assertEqual(self.present(), before)


class NginxRefresh(FilesOfAnAuthority):
    def setUp(self):
        super().setUp()
        self.enroll("db.example")
        self.conf = self.folder / "site.conf"
        self.conf.write_text("# the server block, with lines of one's own\n")
        # Stands for nginx: notes what it is told, and refuses when it is to.
        self.nginx = self.folder / "nginx"
        self.nginx.write_text(f'''#!/bin/sh
            case $1 in
              -T) cat {self.folder}/nginx.conf ;;
              -V) echo "configure arguments: --prefix=/usr --pid-path={self.folder}/pid --with-x" >&2 ;;
              *) echo "$*" >>{self.folder}/told
                 test ! -e {self.folder}/refuse ;;
            esac
            ''')
        (self.folder / "nginx.conf").write_text("events {}\n")
        self.nginx.chmod(0o755)
        (self.folder / "pid").write_text("1\n")

    def renew(self):
        troth("enroll", self.authority.https, "db.example", "--cert-dir", self.folder, "--trust-bundle", self.root,
              "--renew-before", "90d")

    def revoke_somebody(self):
        self.enroll("gone.example")
        troth("certificates", "revoke", "gone.example", "--data", self.folder / "authority")

    def refresh(self, *files, check=True, **environment):
        return run(REFRESH, *(files or (self.conf, self.folder / "db.example.crt")), check=check,
                   env={"TROTH": TROTH, "TROTH_AUTHORITY": f"https://{self.authority.https}", "TROTH_ROOT": str(self.root),
                        "TROTH_NGINX_FILES": str(self.files), "TROTH_NGINX": str(self.nginx), **environment})

    def told(self):
        """What nginx was told since the last time."""
        path = self.folder / "told"
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return text.splitlines()

    def test_what_is_new_is_tested_and_loaded_once(self):
        loaded = ["-t -q", "-s reload"]
        self.refresh()
        self.assertEqual(self.told(), loaded)
        self.assertEqual(self.verify("db.example"), "")
        self.refresh()
        self.assertEqual(self.told(), [])
        for change in (self.renew, self.revoke_somebody, self.renew_issuer, lambda: self.conf.write_text("# other lines\n")):
            change()
            self.refresh()
            self.assertEqual(self.told(), loaded)
            self.refresh()
            self.assertEqual(self.told(), [])
        self.assertEqual(self.conf.read_text(), "# other lines\n")

    def test_without_the_authority_lists_stay_and_a_renewed_certificate_is_loaded(self):
        self.refresh()
        before = self.present()
        self.renew()
        self.stop_authority()
        self.told()
        done = self.refresh(check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("[connection_failed]", done.stderr)
        self.assertEqual(self.told(), ["-t -q", "-s reload"])
        self.assertEqual(self.present(), before)
        self.assertEqual(self.refresh(check=False).returncode, 1)
        self.assertEqual(self.told(), [])

    def test_another_authority_is_not_believed(self):
        self.refresh()
        before = self.present()
        troth("ca", "--depot-path", self.folder / "other", "init", "--common-name", "other", "--curve", "P-256",
              "--passphrase", "")
        done = self.refresh(check=False, TROTH_ROOT=str(self.folder / "other" / "other.crt"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("[issuer_unknown]", done.stderr)
        self.assertEqual(self.present(), before)

    def test_what_nginx_refuses_is_tried_again_and_the_lists_are_there(self):
        self.refresh()
        self.told()
        self.revoke_somebody()
        (self.folder / "refuse").touch()
        done = self.refresh(check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nginx refuses", done.stderr)
        self.assertEqual(self.told(), ["-t -q"])
        # For the policy service, which follows the files.
        self.assertIn("revoked", self.verify("gone.example"))
        (self.folder / "refuse").unlink()
        self.refresh()
        self.assertEqual(self.told(), ["-t -q", "-s reload"])

    def test_an_nginx_that_does_not_run_is_not_reloaded(self):
        (self.folder / "pid").unlink()
        self.refresh()
        self.assertEqual(self.told(), ["-t -q"])
        (self.folder / "pid").write_text("1\n")
        self.refresh()
        self.assertEqual(self.told(), ["-t -q", "-s reload"])

    def test_nginx_is_found_where_its_configuration_puts_its_pid(self):
        (self.folder / "pid").unlink()
        (self.folder / "nginx.conf").write_text(f"events {{}}\n  pid  {self.folder}/elsewhere;\nhttp {{}}\n")
        (self.folder / "elsewhere").write_text("1\n")
        self.refresh()
        self.assertEqual(self.told(), ["-t -q", "-s reload"])

    def test_a_file_that_is_missing_is_said(self):
        done = self.refresh(self.conf, self.folder / "missing.crt", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("missing.crt", done.stderr)
        self.assertEqual(self.told(), [])
        self.assertTrue(pathlib.Path(self.files / "crls.pem").exists())

    def test_it_says_what_it_needs(self):
        for name in ("TROTH_AUTHORITY", "TROTH_ROOT", "TROTH_NGINX_FILES"):
            done = self.refresh(check=False, **{name: ""})
            self.assertEqual(done.returncode, 64)
            self.assertIn(name, done.stderr)
        done = run(REFRESH, check=False, env={"TROTH_AUTHORITY": "ca", "TROTH_ROOT": "/r", "TROTH_NGINX_FILES": str(self.files)})
        self.assertEqual(done.returncode, 64)


if __name__ == "__main__":
    unittest.main()
