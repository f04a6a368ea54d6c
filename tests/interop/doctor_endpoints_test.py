"""`troth doctor HOST:PORT` of real servers: nginx, openssl s_server, Troth's own, and what is no TLS at all."""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from troth_testing import TROTH, Authority, Server, TestCase, openssl, tool, troth

POLICY = """
[roles]
aggregator = { fingerprint = "SHA256" }

[[rules]]
methods = ["/echo.SecurePing/Echo"]
allow   = ["aggregator"]
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process, timeout=10):
    deadline = time.monotonic() + timeout
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, f"{process.args} has ended"
        assert time.monotonic() < deadline, f"{process.args} does not listen"
        time.sleep(0.02)


class DoctorOfEndpoints(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="troth-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        for tree in ("ours", "theirs"):
            troth("certs", "generate", "--out", cls.made / tree, "--key-type", "p256")
        cls.ca = cls.made / "ours/ca/ca.pem"

    def server_files(self):
        return self.made / "ours/server/server.pem", self.made / "ours/server/server.key"

    def as_client(self, name="client", tree="ours"):
        stem = self.made / tree / name / name
        return "--certificate", f"{stem}.pem", "--private-key", f"{stem}.key"

    def examine(self, port, *flags, trust=True):
        """Severity, code and title of each finding, and what was recognised."""
        given = ("--trust-bundle", self.ca) if trust else ()
        done = troth("--json", "doctor", f"localhost:{port}", *given, *flags, check=False)
        answer = json.loads(done.stdout)
        faults = [f["reason"] for f in answer["findings"] if f["severity"] == "fault"]
        self.assertEqual(done.returncode, 1 if faults else 0, done.stdout + done.stderr)
        self.assertEqual(answer["healthy"], not faults)
        self.assertNotIn("PRIVATE KEY", done.stdout + done.stderr)
        self.last = answer
        return faults

    def warnings(self):
        return [f["reason"] for f in self.last["findings"] if f["severity"] == "warning"]

    def seen(self, part):
        return [r["what"] for r in self.last["recognised"] if r["subject"] == part]

    def start(self, *argv, port):
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, cwd=self.folder)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)
        wait_for(port, process)
        return port

    def s_server(self, *flags):
        port = free_port()
        certificate, key = self.server_files()
        return self.start(tool("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key",
                          key, *flags, port=port)

    def pong(self, *flags):
        certificate, key = self.server_files()
        return Server(TROTH, "pong", "--listen", "127.0.0.1:0", "--certificate", certificate, "--private-key", key,
                      *flags)

    # Troth's own servers.

    def test_a_grpc_server_is_healthy_for_a_client_that_it_lets_in(self):
        with self.pong("--trust-bundle", self.ca) as server:
            self.assertEqual(self.examine(server.port, "--grpc", "--path", "/echo.SecurePing/Echo", *self.as_client()), [])
            self.assertEqual(self.warnings(), [])
            self.assertEqual(self.seen("client certificate"), ["required, ours accepted"])
            self.assertEqual(self.seen("versions"), ["TLSv1.3, TLSv1.2"])
            self.assertTrue(self.seen("call")[0].startswith("passed"))
            self.assertEqual(self.examine(server.port, "--grpc", *self.as_client()), [])
            self.assertEqual(self.warnings(), ["no_rule_matches"])

    def test_a_grpc_server_that_verifies_at_the_handshake_is_read(self):
        with self.pong("--trust-bundle", self.ca) as server:
            self.assertEqual(self.examine(server.port, "--grpc"), ["client_certificate_missing"])
            self.assertEqual(self.examine(server.port, "--grpc", *self.as_client(tree="theirs")),
                             ["peer_rejected_certificate"])
            self.assertEqual(self.seen("client certificate"), ["required, ours refused"])

    def test_a_guards_refusal_is_told_with_its_reason(self):
        fingerprint = openssl("x509", "-in", self.made / "ours/aggregator/aggregator.pem", "-noout", "-fingerprint",
                              "-sha256").stdout.split("=")[1].strip()
        policy = self.folder / "policy.toml"
        policy.write_text(POLICY.replace("SHA256", fingerprint))
        ask = ("--grpc", "--path", "/echo.SecurePing/Echo")
        with self.pong("--trust-bundle", self.ca, "--policy", policy, "--verification", "first-call") as server:
            self.assertEqual(self.examine(server.port, *ask, *self.as_client("aggregator")), [])
            self.assertEqual(self.examine(server.port, *ask, *self.as_client()), ["role_not_allowed"])
            self.assertIn("clementine-client", self.last["findings"][0]["title"])
            self.assertEqual(self.examine(server.port, *ask, *self.as_client(tree="theirs")), ["signature_invalid"])

    def test_an_insecure_grpc_server_is_recognised(self):
        with Server(TROTH, "pong", "--listen", "127.0.0.1:0", "--mode", "insecure") as server:
            self.assertEqual(self.examine(server.port, "--grpc"), ["protocol_mismatch"])
            self.assertIn("HTTP/2 without TLS", self.last["findings"][0]["title"])

    def test_an_authority_is_healthy_and_its_certificate_is_not_of_the_system(self):
        data = self.folder / "data"
        with Authority(data) as authority:
            _, port = authority.https.rsplit(":", 1)
            flags = ("--trust-bundle", data / "root.pem")
            self.assertEqual(self.examine(port, *flags, "--path", "/healthz", trust=False), [])
            self.assertEqual(self.warnings(), [])
            self.assertEqual(self.seen("client certificate"), ["optional, none shown"])
            self.assertEqual(self.examine(port, *flags, trust=False), [])
            self.assertEqual(self.warnings(), ["peer_not_authenticated"])
            self.assertEqual(self.examine(port, *flags, "--path", "/", trust=False), ["peer_not_authenticated"])
            # No system knows it, and where a system knows any authority, that is a fault.
            self.assertEqual(self.examine(port, "--path", "/healthz", trust=False) + self.warnings(),
                             ["issuer_unknown"])
            self.assertEqual(self.examine(port, "--grpc", *flags, trust=False), ["protocol_mismatch"])
            _, port = authority.grpc.rsplit(":", 1)
            self.assertEqual(self.examine(port, "--grpc", *flags, trust=False), ["peer_not_authenticated"])
            self.assertEqual(self.seen("call"), ["refused, UNAUTHENTICATED"])

    # nginx.

    def nginx(self, listen, extra=""):
        program = next((p for p in ("/usr/sbin/nginx", "/usr/local/sbin/nginx") if os.access(p, os.X_OK)), None)
        port = free_port()
        certificate, key = self.server_files()
        config = self.folder / "nginx.conf"
        config.write_text(f"""
            daemon off; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log; worker_processes 1;
            events {{ }}
            http {{
              access_log off;
              client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
              fastcgi_temp_path {self.folder}/fastcgi; uwsgi_temp_path {self.folder}/uwsgi;
              scgi_temp_path {self.folder}/scgi;
              server {{
                listen 127.0.0.1:{port} {listen};
                ssl_certificate {certificate}; ssl_certificate_key {key};
                {extra}
                location / {{ return 200 "hello"; }}
              }}
            }}""")
        return self.start(program or tool("nginx"), "-c", config, "-e", self.folder / "error.log", port=port)

    def test_nginx_is_read_in_http_1_and_2(self):
        for listen in ("ssl", "ssl http2"):
            with self.subTest(listen):
                port = self.nginx(listen, f"ssl_client_certificate {self.ca}; ssl_verify_client on;")
                self.assertEqual(self.examine(port, *self.as_client()), [])
                self.assertEqual(self.seen("client certificate"), ["required, ours accepted"])
                self.assertEqual(self.seen("answer"), ["HTTP 200"])
                self.assertEqual(self.examine(port), ["client_certificate_missing"])
                self.assertEqual(self.seen("answer"), ["HTTP 400"])
                self.assertEqual(self.examine(port, *self.as_client(tree="theirs")), ["peer_rejected_certificate"])

    def test_nginx_with_optional_certificates_and_a_wrong_name_is_read(self):
        port = self.nginx("ssl", f"ssl_client_certificate {self.ca}; ssl_verify_client optional;")
        self.assertEqual(self.examine(port), [])
        self.assertEqual(self.seen("client certificate"), ["optional, none shown"])
        self.assertEqual(self.examine(port, "--server-name", "db.example"), ["name_mismatch"])
        self.assertEqual(self.examine(port, "--trust-bundle", self.made / "theirs/ca/ca.pem", trust=False),
                         ["signature_invalid"])

    def test_nginx_with_a_page_of_its_own_for_refused_clients_lets_nobody_in(self):
        port = self.nginx("ssl", f"ssl_client_certificate {self.ca}; ssl_verify_client on; error_page 495 496 /denied;"
                                 "location = /denied { internal; return 403 denied; }")
        self.examine(port)
        self.assertEqual(self.warnings(), ["client_certificate_missing"])
        self.assertEqual(self.seen("client certificate"), ["asked for, none shown"])
        self.examine(port, *self.as_client(tree="theirs"))
        self.assertIn("peer_rejected_certificate", self.warnings())
        self.assertEqual(self.seen("client certificate"), ["asked for, ours shown"])
        self.assertEqual(self.examine(port, *self.as_client()), [])
        self.assertEqual(self.warnings(), [])
        self.assertEqual(self.seen("client certificate"), ["required, ours accepted"])

    def test_a_web_server_is_no_grpc_server(self):
        port = self.nginx("ssl http2", "".join(
            f"location = /a.B/C{status} {{ return {status}; }}" for status in (400, 404, 500, 502)))
        self.assertEqual(self.examine(port, "--grpc"), ["protocol_mismatch"])
        for status in (400, 404, 500, 502):
            self.assertEqual(self.examine(port, "--grpc", "--path", f"/a.B/C{status}"), ["protocol_mismatch"], status)
            self.assertIn(f"HTTP {status}", self.last["findings"][0]["title"])

    def test_troths_server_without_client_certificates_is_healthy(self):
        with self.pong("--mode", "tls") as server:
            self.assertEqual(self.examine(server.port, "--grpc"), [])
            self.assertEqual(self.warnings(), ["peer_not_authenticated"])
            self.assertEqual(self.examine(server.port, "--grpc", "--path", "/echo.SecurePing/Echo"), [])

    def test_nginx_without_tls_is_recognised(self):
        self.assertEqual(self.examine(self.nginx("")), ["protocol_mismatch"])
        self.assertIn("plain HTTP", self.last["findings"][0]["title"])

    # openssl s_server.

    def test_s_server_with_tls_1_0_only_is_recognised(self):
        port = self.s_server("-tls1", "-cipher", "ALL:@SECLEVEL=0", "-www")
        self.assertEqual(self.examine(port), ["protocol_mismatch"])
        self.assertIn("TLSv1", self.seen("protocol")[0])

    def test_s_server_that_requires_a_certificate_is_read_in_each_version(self):
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                port = self.s_server(version, "-Verify", "2", "-verify_return_error", "-CAfile", self.ca, "-www")
                self.assertEqual(self.examine(port), ["client_certificate_missing"])
                self.assertEqual(self.examine(port, *self.as_client()), [])
                self.assertEqual(self.examine(port, *self.as_client(tree="theirs")), ["peer_rejected_certificate"])

    def test_the_clients_own_fault_is_told_with_its_file(self):
        port = self.s_server("-Verify", "2", "-verify_return_error", "-CAfile", self.ca, "-www")
        key = self.folder / "client.key"
        shutil.copy(self.made / "ours/aggregator/aggregator.key", key)
        certificate = self.made / "ours/client/client.pem"
        self.assertEqual(self.examine(port, "--certificate", certificate, "--private-key", key), ["key_mismatch"])
        self.assertEqual(self.last["findings"][0]["subject"], str(key))

    # What is no TLS at all.

    def test_a_plain_web_server_is_recognised(self):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
            server.RequestHandlerClass.log_message = lambda *_: None
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                self.assertEqual(self.examine(server.server_port, "--timeout", "3s"), ["protocol_mismatch"])
                self.assertIn("plain HTTP", self.last["findings"][0]["title"])
            finally:
                server.shutdown()
                thread.join()

    def test_a_stalled_server_costs_no_more_than_the_timeout(self):
        with socket.create_server(("127.0.0.1", 0)) as stalled:
            for flags in ((), ("--grpc",)):
                begin = time.monotonic()
                self.assertEqual(self.examine(stalled.getsockname()[1], "--timeout", "2s", *flags), ["connection_failed"])
                self.assertLess(time.monotonic() - begin, 3.5)

    def test_nothing_there_and_an_unknown_host_are_told(self):
        self.assertEqual(self.examine(free_port()), ["connection_failed"])
        done = troth("--json", "doctor", "no-such-host.invalid:443", "--timeout", "2s", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual([f["reason"] for f in json.loads(done.stdout)["findings"]], ["connection_failed"])

    def test_what_is_called_wrongly_is_told_how(self):
        for arguments in ((self.ca, "localhost:443"), ("localhost:1", "localhost:2"), (self.ca, "--grpc"),
                          (self.ca, "--certificate", self.ca), ("localhost:443", "--private-key", self.ca),
                          ("localhost:443", "--timeout", "0s"), ("localhost:443", "--purpose", "server"),
                          ("localhost:443", "--path", "packets"), ("localhost:0",),
                          ("localhost:443", "--certificate", self.ca), ("localhost:443", "--server-name", "*.internal"),
                          ("https://localhost:443/",), ("https://localhost",), ("db.example.com",), ("10.0.0.7",)):
            with self.subTest(arguments):
                done = troth("doctor", *arguments, check=False)
                self.assertEqual(done.returncode, 64, done.stdout)
                self.assertIn("usage_error", done.stderr)

    def test_a_certificate_with_its_key_in_one_file_is_shown(self):
        port = self.s_server("-Verify", "2", "-verify_return_error", "-CAfile", self.ca, "-www")
        both = self.folder / "both.pem"
        both.write_text("".join((self.made / f"ours/client/client.{end}").read_text() for end in ("pem", "key")))
        both.chmod(0o600)
        self.assertEqual(self.examine(port, "--certificate", both), [])
        self.assertEqual(self.seen("client certificate"), ["required, ours accepted"])

    def test_an_answer_that_cannot_be_written_is_no_verdict(self):
        port = self.s_server("-www")
        with open("/dev/full", "w") as full:
            done = subprocess.run([TROTH, "doctor", f"localhost:{port}", "--trust-bundle", self.ca], stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 74, done.stderr)
        self.assertIn("file_write_failed", done.stderr)

    def test_people_read_it_in_lines(self):
        port = self.s_server("-Verify", "2", "-verify_return_error", "-CAfile", self.ca, "-www")
        done = troth("doctor", f"localhost:{port}", "--trust-bundle", self.ca, check=False)
        self.assertTrue(done.stdout.startswith("not healthy, 1 fault"), done.stdout)
        for part in (f"  address: 127.0.0.1:{port}\n", "  protocol: TLSv1.3 with ", "[client_certificate_missing]\n",
                     "  fix:      give --certificate and --private-key"):
            self.assertIn(part, done.stdout)


if __name__ == "__main__":
    unittest.main()
