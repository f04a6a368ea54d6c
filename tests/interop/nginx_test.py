"""nginx with what `troth nginx-config` writes and `troth policy serve` answers."""

import http.client
import http.server
import json
import os
import re
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import unittest

from troth_testing import TROTH, TestCase, openssl, run, tool, troth

POLICY = """
[roles]
attestor = { dns = "*.attestors.example", issuer = "pki/ca.crt" }
auditor  = { spiffe_id = "spiffe://db.example/auditor" }
backup   = { fingerprint = "SHA256" }

[[rules]]
methods = ["GET /packets", "GET /packets/*", "POST /packets/*"]
allow   = ["attestor"]

[[rules]]
methods = ["GET /packets/@all", "GET /packets/export"]
allow   = ["auditor"]

[[rules]]
methods = ["GET /backup"]
allow   = ["backup"]

[[rules]]
methods = ["GET /audit"]
allow   = ["auditor"]
"""

IDENTITY = ("Subject", "Common-Name", "Names", "Spiffe-Id", "Sha256")


class Echo(http.server.BaseHTTPRequestHandler):
    """The service behind nginx: answers with the request as it came."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        read = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"method": self.command, "target": self.path, "fields": self.headers.items(),
                           "body": read.decode("latin-1")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def address_string(self):
        return "nginx"

    def log_message(self, *_):
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class NginxTest(TestCase):
    def setUp(self):
        super().setUp()
        self.nginx_program = self.find_nginx()
        self.pki = self.folder / "pki"
        self.pki.mkdir()
        self.ca("init", "--common-name", "ca", "--curve", "P-256", "--passphrase", "")
        self.server_certificate()
        for name in ("one.attestors.example", "spiffe://db.example/auditor", "lost.attestors.example",
                     "backup.example"):
            self.client(name)
        self.ca("revoke", "--CN", "lost", "--CA", "ca")
        self.policy = POLICY.replace("SHA256", self.sha256("backup"))
        (self.folder / "policy.toml").write_text(self.policy)
        self.port = free_port()
        self.config = self.folder / "site.conf"
        self.of_all_servers = ""  # what nginx.conf says in its http block

    @staticmethod
    def find_nginx():
        for path in ("/usr/sbin/nginx", "/usr/local/sbin/nginx"):
            if os.access(path, os.X_OK):
                return path
        return tool("nginx")

    def ca(self, *argv):
        return troth("ca", "--depot-path", self.pki, *argv)

    def server_certificate(self, name="db.example"):
        for ending in ("crt", "key", "csr"):
            (self.pki / f"server.{ending}").unlink(missing_ok=True)
        self.ca("request-cert", "--common-name", "server", "--domain", name, "--curve", "P-256", "--passphrase", "")
        self.ca("sign", "server", "--CA", "ca")

    def client(self, name):
        short = re.split(r"[./]", name)[-1 if "/" in name else 0]
        kind = ("--uri", name) if "/" in name else ("--domain", name)
        self.ca("request-cert", "--common-name", short, *kind, "--curve", "P-256", "--passphrase", "")
        self.ca("sign", short, "--CA", "ca")

    def nginx_config(self, *more, check=True, **replaced):
        flags = {"listen": f"127.0.0.1:{self.port}", "server-name": "db.example",
                 "certificate": self.pki / "server.crt", "private-key": self.pki / "server.key",
                 "trust-bundle": self.pki / "ca.crt", "crl": self.pki / "ca.crl",
                 "upstream": f"unix:{self.folder}/db.sock", "policy": self.folder / "policy.toml",
                 "policy-socket": f"unix:{self.folder}/policy.sock", "out": self.config}
        flags.update({name.replace("_", "-"): value for name, value in replaced.items()})
        given = [part for name, value in flags.items() if value is not None for part in (f"--{name}", value)]
        return troth("nginx-config", *given, *more, check=check)

    def start_upstream(self):
        server = UnixServer(str(self.folder / "db.sock"), Echo)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def start_policy(self):
        log = open(self.folder / "policy.log", "w")
        process = subprocess.Popen(
            [TROTH, "--json", "policy", "serve", "--policy", self.folder / "policy.toml", "--trust-bundle",
             self.pki / "ca.crt", "--crl", self.pki / "ca.crl", "--listen", f"unix:{self.folder}/policy.sock"],
            stdout=subprocess.PIPE, stderr=log, text=True)

        def stop():
            process.terminate()
            process.wait(timeout=10)
            process.stdout.close()
            log.close()
        self.addCleanup(stop)
        self.assertIn("listens_on", json.loads(process.stdout.readline() or "{}"), self.policy_log())

    def policy_log(self):
        return (self.folder / "policy.log").read_text()

    def nginx(self, *argv):
        main = self.folder / "nginx.conf"
        if not main.exists():
            # nginx's workers would be another user's otherwise, who may not look into the folder.
            user = "user root;\n" if os.geteuid() == 0 else ""
            temporary = "".join(f"  {kind}_temp_path {self.folder}/{kind};\n"
                                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            main.write_text(f"{user}daemon off;\nworker_processes 2;\npid {self.folder}/nginx.pid;\n"
                            f"error_log {self.folder}/error.log;\nevents {{ worker_connections 512; }}\n"
                            f"http {{\n  access_log off;\n{temporary}{self.of_all_servers}  include {self.config};\n}}\n")
        return [self.nginx_program, "-e", str(self.folder / "error.log"), "-p", str(self.folder), "-c", str(main), *argv]

    def start_nginx(self):
        run(*self.nginx("-t"))
        process = subprocess.Popen(self.nginx(), stderr=subprocess.DEVNULL)

        def stop():
            process.terminate()
            process.wait(timeout=10)
        self.addCleanup(stop)
        deadline = time.monotonic() + 10
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            self.assertLess(time.monotonic(), deadline, (self.folder / "error.log").read_text())
            time.sleep(0.02)

    def start(self, **replaced):
        self.start_upstream()
        if replaced.get("policy", "") is not None:
            self.start_policy()
        self.nginx_config(**replaced)
        self.start_nginx()

    def curl(self, target, *more, client="one"):
        """Status, header fields (in lower case) and body."""
        certificate = () if client is None else ("--cert", self.pki / f"{client}.crt", "--key", self.pki / f"{client}.key")
        done = run(tool("curl"), "-sS", "-i", "--path-as-is", "--max-time", "10", "--cacert", self.pki / "ca.crt",
                   "--resolve", f"db.example:{self.port}:127.0.0.1", *certificate, *more,
                   f"https://db.example:{self.port}{target}", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        lines = head.split("\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), fields, body

    def chunked(self, target, chunks, trailers):
        """What the service saw of a POST in chunks with fields behind it, from the client "one"."""
        context = ssl.create_default_context(cafile=self.pki / "ca.crt")
        context.load_cert_chain(self.pki / "one.crt", self.pki / "one.key")
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain, \
                context.wrap_socket(plain, server_hostname="db.example") as connection:
            connection.sendall(f"POST {target} HTTP/1.1\r\nHost: db.example\r\nConnection: close\r\n"
                               f"Transfer-Encoding: chunked\r\nTrailer: {', '.join(trailers)}\r\n\r\n".encode())
            for chunk in chunks:
                connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            connection.sendall(b"0\r\n" + b"".join(f"{k}: {v}\r\n".encode() for k, v in trailers.items()) + b"\r\n")
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            body = answer.read()
        self.assertEqual(answer.status, 200, body)
        return self.request_of(body)

    def request_of(self, body):
        request = json.loads(body)
        names = [name.lower() for name, _ in request["fields"]]
        self.assertEqual(len(names), len(set(names)), names)
        request["fields"] = {name.lower(): value for name, value in request["fields"]}
        return request

    def passed_on(self, *argv, **options):
        """The request as the service behind saw it, its fields by lower-case name."""
        status, _, body = self.curl(*argv, **options)
        self.assertEqual(status, 200, body)
        return self.request_of(body)

    def assert_refused(self, status, reason, *argv, **options):
        got, fields, body = self.curl(*argv, **options)
        self.assertEqual((got, fields.get("troth-reason")), (status, reason), body)
        self.assertIn(f"[troth:{reason}]", body)

    def sha256(self, name):
        text = openssl("x509", "-in", self.pki / f"{name}.crt", "-noout", "-fingerprint", "-sha256").stdout
        return text.strip().split("=")[1].replace(":", "").lower()

    def test_clients_may_do_what_the_policy_says_and_the_service_knows_who_they_are(self):
        self.start()
        with self.subTest("a good certificate"):
            request = self.passed_on("/packets/5?a=%2f..", "-d", "signature")
            self.assertEqual((request["method"], request["target"]), ("POST", "/packets/5?a=%2f.."))
            fields = request["fields"]
            self.assertEqual(fields["troth-client-subject"], "CN=one")
            self.assertEqual(fields["troth-client-common-name"], "one")
            self.assertEqual(fields["troth-client-names"], "DNS:one.attestors.example")
            self.assertEqual(fields["troth-client-sha256"], self.sha256("one"))
            self.assertNotIn("troth-client-spiffe-id", fields)
            self.assertEqual([name for name in fields if name.startswith("troth-ask")], [])
        with self.subTest("a SPIFFE ID"):
            fields = self.passed_on("/audit", client="auditor")["fields"]
            self.assertEqual(fields["troth-client-spiffe-id"], "spiffe://db.example/auditor")
        with self.subTest("a pin"):
            self.assertEqual(self.passed_on("/backup", client="backup")["fields"]["troth-client-sha256"],
                             self.sha256("backup"))
            self.assert_refused(403, "role_not_allowed", "/backup")
        with self.subTest("a target in absolute form"):
            target = ("--request-target", "http://db.example/packets/5")
            self.assertEqual(self.passed_on("/audit", *target)["target"], "/packets/5")
            self.assert_refused(403, "role_not_allowed", "/packets/5", "--request-target", "http://db.example/audit")
        with self.subTest("forged fields"):
            forged = [part for name in IDENTITY for spelling in
                      (f"Troth-Client-{name}", f"troth_client_{name}".replace("-", "_"), f"Troth-Client_{name}",
                       f"TROTH-CLIENT-{name.upper()}", f"Troth.Client.{name}")
                      for part in ("-H", f"{spelling}: forged")]
            others = [part for name in ("Troth-Ask-Method", "Troth-Ask-Target", "Troth-Ask-Certificate", "Troth-Ask-Verify",
                                        "X-HTTP-Method-Override", "X-Original-URL", "X-Forwarded-For", "X-Real-IP",
                                        "Forwarded", "Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-S-DN",
                                        "Remote-User", "X-Forwarded-User", "X-Forwarded-Prefix", "X-Forwarded-Port",
                                        "X-Original-Method") for part in ("-H", f"{name}: forged")]
            fields = self.passed_on("/packets/5", *forged, *others)["fields"]
            self.assertNotIn("forged", " ".join(fields.values()))
            self.assertEqual(fields["troth-client-sha256"], self.sha256("one"))
            self.assertEqual(fields["x-forwarded-for"], "127.0.0.1")
            self.assertEqual(fields["x-forwarded-port"], str(self.port))
            self.assertNotIn("troth-client-spiffe-id", fields)
            self.assert_refused(403, "role_not_allowed", "/audit", *forged, *others)
        with self.subTest("a body in chunks, with trailers"):
            request = self.chunked("/packets/5", [b"sig", b"nature"], {"Troth-Client-Common-Name": "forged", "X-Late": "1"})
            self.assertEqual((request["method"], request["body"]), ("POST", "signature"))
            self.assertEqual(request["fields"]["troth-client-common-name"], "one")
            self.assertNotIn("x-late", request["fields"])
        with self.subTest("the wrong role"):
            self.assert_refused(403, "role_not_allowed", "/packets/5", client="auditor")
            self.assertRegex(self.policy_log(), r"call refused.*spiffe://db\.example/auditor.*role_not_allowed")
        with self.subTest("no rule"):
            self.assert_refused(403, "no_rule_matches", "/admin")
            self.assert_refused(403, "no_rule_matches", "/packets/5", "-X", "DELETE")
        with self.subTest("the question of nginx itself"):
            self.assertEqual(self.curl("/.troth/authorize")[0], 404)
        with self.subTest("no certificate"):
            self.assertEqual(self.curl("/packets/5", client=None)[0], 400)
        with self.subTest("a revoked certificate"):
            self.assertEqual(self.curl("/packets/5", client="lost")[0], 400)

    def test_paths_that_two_programs_may_read_in_two_ways_are_refused(self):
        self.start()
        for target in ("/packets/../audit", "/packets/%2e%2e/audit", "/packets/./5", "/packets/a%2Fb", "/packets/a%2fb",
                       "/packets//5", "//packets/5", "/packets/a%5cb", "/packets/a%5Cb", "/packets/a%0ab",
                       "/packets/..;/audit", "/packets/a%252fb", "/packets/export;x", "/packets/export%3bx"):
            with self.subTest(target=target):
                # What nginx takes itself for leading out of its root it refuses itself, with 400.
                self.assert_refused(403, "http_malformed", target)
        for target in ("/packets/@all", "/packets/%40all", "/packets/export", "/packets/%65xport"):
            with self.subTest(target=target):
                self.assert_refused(403, "role_not_allowed", target)
        self.assertEqual(self.passed_on("/packets/%40all", client="auditor")["target"], "/packets/%40all")
        for target in ("/packets/a%00b", "/../audit", "/packets/a%zz"):
            with self.subTest(target=target):
                self.assertEqual(self.curl(target)[0], 400)
        self.assertEqual(self.passed_on("/%70ackets/5")["target"], "/%70ackets/5")
        self.assertIn("http_malformed", self.policy_log())

    def test_an_added_location_that_sets_no_field_inherits_all_of_them(self):
        self.start_upstream()
        self.start_policy()
        self.nginx_config()
        text = self.config.read_text()
        added = f"    location = /packets/more {{ proxy_pass http://unix:{self.folder}/db.sock; }}\n"
        self.config.write_text(text.replace("    location / {", added + "    location / {", 1))
        self.start_nginx()
        forged = [part for name in IDENTITY for part in ("-H", f"Troth-Client-{name}: forged")]
        here, there = (self.passed_on(target, *forged, "-H", "X-Forwarded-For: forged")["fields"]
                       for target in ("/packets/more", "/packets/5"))
        self.assertEqual(here, there)
        self.assertEqual(here["troth-client-sha256"], self.sha256("one"))
        self.assertNotIn("forged", " ".join(here.values()))

    def test_policy_and_lists_are_followed_without_a_restart(self):
        self.start()
        self.assertEqual(self.curl("/packets/5")[0], 200)
        (self.folder / "policy.toml").write_text(self.policy.replace('"GET /packets/*", ', ""))
        self.wait_until(lambda: self.curl("/packets/5")[0] == 403)
        (self.folder / "policy.toml").write_text(self.policy)
        self.wait_until(lambda: self.curl("/packets/5")[0] == 200)
        # nginx reads lists when it is reloaded, the policy service at once.
        self.ca("revoke", "--CN", "one", "--CA", "ca")
        self.wait_until(lambda: self.curl("/packets/5")[1].get("troth-reason") == "certificate_revoked")

    def wait_until(self, condition):
        deadline = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), deadline, self.policy_log())
            time.sleep(0.05)

    def test_nobody_comes_in_when_the_policy_service_is_away(self):
        self.start_upstream()
        self.nginx_config()
        self.start_nginx()
        self.assertEqual(self.curl("/packets/5")[0], 500)

    def test_without_a_policy_the_service_is_told_what_nginx_knows(self):
        self.start(policy=None, policy_socket=None)
        forged = [part for name in IDENTITY for part in ("-H", f"Troth-Client-{name}: forged")]
        fields = self.passed_on("/anything", *forged)["fields"]
        self.assertEqual({name: value for name, value in fields.items() if name.startswith("troth-")},
                         {"troth-client-subject": "CN=one"})
        self.assertEqual(self.curl("/anything", client=None)[0], 400)
        self.assertEqual(self.curl("/anything", client="lost")[0], 400)

    def stranger(self):
        """A client of a CA that is not of the bundle."""
        self.ca("init", "--common-name", "foreign", "--curve", "P-256", "--passphrase", "")
        self.ca("request-cert", "--common-name", "stranger", "--domain", "one.attestors.example", "--curve", "P-256",
                "--passphrase", "")
        self.ca("sign", "stranger", "--CA", "foreign")

    def test_what_nginx_conf_says_for_all_servers_lets_nobody_in_and_changes_nothing(self):
        self.stranger()
        self.of_all_servers = (f"  ssl_trusted_certificate {self.pki}/foreign.crt;\n  error_page 495 496 /x;\n"
                               "  proxy_method POST;\n  proxy_pass_request_headers off;\n  proxy_cache all;\n"
                               f"  proxy_cache_path {self.folder}/cache keys_zone=all:1m;\n  proxy_cache_valid 200 1m;\n")
        self.start(policy=None, policy_socket=None, crl=None)
        with self.subTest("a certificate of its CAs"):
            status, _, body = self.curl("/anything", client="stranger")
            self.assertEqual(status, 400)
            self.assertRegex(body, "^certificate: FAILED:")
        with self.subTest("no certificate"):
            status, _, body = self.curl("/anything", client=None)
            self.assertEqual((status, body), (400, "certificate: NONE\n"))
        with self.subTest("method, fields and answers"):
            for number in ("1", "2"):
                request = self.passed_on("/anything", "-H", f"X-Number: {number}")
                self.assertEqual((request["method"], request["fields"]["x-number"]), ("GET", number))

    def test_only_who_was_verified_for_its_names_comes_in(self):
        self.stranger()
        self.of_all_servers = (f"  server {{ listen 127.0.0.1:{self.port} ssl default_server; server_name other.example;\n"
                               f"    ssl_certificate {self.pki}/server.crt; ssl_certificate_key {self.pki}/server.key;\n"
                               f"    ssl_client_certificate {self.pki}/foreign.crt; ssl_verify_client on; return 204; }}\n")
        self.start(policy=None, policy_socket=None)

        def status(client, name):
            context = ssl.create_default_context(cafile=self.pki / "ca.crt")
            context.check_hostname = False
            context.load_cert_chain(self.pki / f"{client}.crt", self.pki / f"{client}.key")
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain, \
                    context.wrap_socket(plain, server_hostname=name) as connection:
                connection.sendall(b"GET /admin HTTP/1.1\r\nHost: db.example\r\nConnection: close\r\n\r\n")
                with connection.makefile("rb") as answer:
                    return int(answer.readline().split()[1])

        self.assertEqual(status("stranger", None), 421)
        self.assertEqual(status("stranger", "unknown.example"), 421)
        self.assertEqual(status("stranger", "other.example"), 421)
        self.assertEqual(status("stranger", "db.example"), 400)
        self.assertEqual(status("one", "DB.example"), 200)

    def test_a_wildcard_is_a_name_of_the_certificate_or_is_warned_of(self):
        self.assertIn("db.example only", self.nginx_config(server_name="*.example").stderr)
        self.server_certificate("*.db.example")
        self.assertNotIn(" only:", self.nginx_config(server_name="*.DB.example").stderr)
        self.assertIn("*.db.example only", self.nginx_config(server_name="*.example").stderr)

    def test_it_says_to_start_the_policy_service_before_nginx_asks_it(self):
        self.assertRegex(self.nginx_config().stderr, re.compile(
            rf"\n  troth policy serve --policy {self.folder}/policy.toml .*\n.*nginx -t && nginx -s reload\n", re.MULTILINE))

    def test_the_doctor_says_what_nginx_has_against_a_client(self):
        self.start()

        def faults(client=None, path="/packets/5"):
            files = () if client is None else ("--certificate", self.pki / f"{client}.crt",
                                               "--private-key", self.pki / f"{client}.key")
            done = troth("--json", "doctor", f"127.0.0.1:{self.port}", "--server-name", "db.example", "--path", path,
                         "--trust-bundle", self.pki / "ca.crt", *files, check=False)
            found = json.loads(done.stdout)["findings"]
            return [each["reason"] for each in found if each["severity"] == "fault"]

        self.assertEqual(faults("one"), [])
        self.assertEqual(faults(), ["client_certificate_missing"])
        self.assertEqual(faults("lost"), ["peer_rejected_certificate"])
        self.assertEqual(faults("auditor"), ["role_not_allowed"])

    def test_it_warns_of_what_others_could_decide(self):
        self.assertNotIn("every user", self.nginx_config().stderr)
        self.assertIn("every user", self.nginx_config(policy_socket="127.0.0.1:9").stderr)

    def test_new_certificates_and_lists_refuse_no_connection(self):
        self.start()
        context = ssl.create_default_context(cafile=self.pki / "ca.crt")
        context.load_cert_chain(self.pki / "one.crt", self.pki / "one.key")
        ended = threading.Event()
        served, failures, seen = [0, 0, 0, 0], [], set()

        def load(number):
            while not ended.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain, \
                            context.wrap_socket(plain, server_hostname="db.example") as connection:
                        seen.add(connection.getpeercert()["serialNumber"])
                        connection.sendall(b"GET /packets/5 HTTP/1.1\r\nHost: db.example\r\nConnection: close\r\n\r\n")
                        answer = connection.recv(65536)
                        if not answer.startswith(b"HTTP/1.1 200 "):
                            failures.append(answer[:200])
                        served[number] += 1
                except OSError as error:
                    failures.append(repr(error))

        threads = [threading.Thread(target=load, args=(number,)) for number in range(len(served))]
        for thread in threads:
            thread.start()
        try:
            self.wait_until(lambda: seen)
            for _ in range(4):
                before, known = sum(served), len(seen)
                self.server_certificate()
                self.ca("crl", "--CA", "ca")
                self.nginx_config()
                run(*self.nginx("-s", "reload"))
                self.wait_until(lambda: len(seen) > known and sum(served) > before + 20)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertGreaterEqual(len(seen), 5)

    def test_what_nginx_could_not_work_with_is_refused_first(self):
        def assert_refused(reason, **replaced):
            with self.subTest(reason=reason, **{name: str(value) for name, value in replaced.items()}):
                done = self.nginx_config(check=False, **replaced)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(reason, done.stderr)
                self.assertFalse(self.config.exists())

        def made(name, *argv):
            openssl(*argv, "-out", self.folder / name)
            return self.folder / name

        assert_refused("key_mismatch", private_key=self.pki / "one.key")
        assert_refused("name_mismatch", server_name="other.example")
        assert_refused("name_mismatch", server_name="*.db.example")
        assert_refused("not_a_certificate_authority", trust_bundle=self.pki / "one.crt")
        assert_refused("file_not_found", certificate=self.folder / "none")
        assert_refused("file_wrong_format", crl=made("crl.der", "crl", "-in", self.pki / "ca.crl", "-outform", "DER"))
        assert_refused("file_wrong_format",
                       certificate=made("server.der", "x509", "-in", self.pki / "server.crt", "-outform", "DER"))
        assert_refused("key_encrypted", private_key=made(
            "encrypted.key", "pkey", "-in", self.pki / "server.key", "-aes256", "-passout", "pass:x"))
        wrong_order = self.folder / "order.crt"
        wrong_order.write_text((self.pki / "ca.crt").read_text() + (self.pki / "server.crt").read_text())
        assert_refused("key_mismatch", certificate=wrong_order)
        assert_refused("usage_error", upstream="https://127.0.0.1:1")
        assert_refused("usage_error", listen="443; }")
        (self.folder / "broken.toml").write_text("[roles")
        assert_refused("policy_invalid", policy=self.folder / "broken.toml")

        # A list of the issuer alone, where the root's is needed too, and a bundle without its root.
        self.ca("init", "--common-name", "root", "--curve", "P-256", "--passphrase", "", "--path-length", "1")
        self.ca("request-cert", "--common-name", "issuer", "--curve", "P-256", "--passphrase", "")
        self.ca("sign", "issuer", "--CA", "root", "--intermediate")
        self.ca("crl", "--CA", "issuer")
        both, lists = self.folder / "both.pem", self.folder / "both.crl"
        both.write_text("".join((self.pki / f"{name}.crt").read_text() for name in ("issuer", "root")))
        assert_refused("revocation_unknown", trust_bundle=both, crl=self.pki / "issuer.crl")
        assert_refused("issuer_unknown", trust_bundle=self.pki / "issuer.crt", crl=self.pki / "issuer.crl")
        lists.write_text("".join((self.pki / f"{name}.crl").read_text() for name in ("issuer", "root")))
        self.nginx_config(trust_bundle=both, crl=lists)

    def test_only_this_machine_may_ask_the_policy_service(self):
        for listen in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80", "443"):
            done = troth("policy", "serve", "--policy", self.folder / "policy.toml", "--listen", listen, check=False)
            self.assertEqual(done.returncode, 64)
            self.assertIn("usage_error", done.stderr)

    def test_only_its_own_file_is_replaced(self):
        self.nginx_config()
        self.nginx_config()
        key = (self.pki / "server.key").read_text()
        self.assertIn("file_exists", self.nginx_config(check=False, out=self.pki / "server.key").stderr)
        self.assertEqual((self.pki / "server.key").read_text(), key)

    def test_nginx_reads_paths_with_spaces_and_quotes(self):
        odd = self.folder / "it's; a {\"folder\"} \\ #1"
        odd.mkdir()
        for name in ("server.crt", "server.key", "ca.crt", "ca.crl"):
            (odd / name).write_text((self.pki / name).read_text())
        self.nginx_config(certificate=odd / "server.crt", private_key=odd / "server.key", trust_bundle=odd / "ca.crt",
                          crl=odd / "ca.crl")
        run(*self.nginx("-t"))


if __name__ == "__main__":
    unittest.main()
