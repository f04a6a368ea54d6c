"""The programs of docs/http-services.md, as they stand there."""

import json
import re
import socket
import ssl
import subprocess
import time
import unittest

from troth_testing import BINARY_DIR, SOURCE_DIR, Server, TestCase, run, tool, troth

PROGRAMS = BINARY_DIR / "examples/http"


def page():
    return (SOURCE_DIR / "docs/http-services.md").read_text()


class HttpServices(TestCase):
    def setUp(self):
        super().setUp()
        self.server_program, self.client_program = PROGRAMS / "greeting_server", PROGRAMS / "greeting_client"
        if not self.server_program.exists():
            self.skipTest("the examples are not built")
        troth("certs", "generate", "--out", self.folder / "certs", "--key-type", "p256")
        self.policy = self.folder / "policy.toml"
        self.policy.write_text(re.search(r"<<'END'\n(.*?)END\n", page(), re.DOTALL).group(1))

    def files(self, name):
        folder = self.folder / "certs" / name
        return folder / f"{name}.pem", folder / f"{name}.key", folder / "ca.pem"

    def server(self, address="127.0.0.1"):
        return Server(self.server_program, *self.files("server"), self.policy, f"{address}:0")

    def client(self, server, name="client", host="localhost", path="greeting"):
        return run(self.client_program, *self.files(name), f"https://{host}:{server.port}/{path}", check=False)

    def renew(self, name):
        troth("certs", "generate", "--out", self.folder / "certs", "--renew", name)

    def test_who_may_call_is_greeted_and_everybody_else_told_why_not(self):
        with self.server() as server:
            self.assertEqual(self.client(server).stdout, "200 hello, clementine-client\n")
            refused = self.client(server, "aggregator")
            self.assertEqual(refused.stdout[:4], "403 ")
            self.assertEqual(json.loads(refused.stdout[4:])["code"], "role_not_allowed")
            server.wait_for_log(r"call refused peer=clementine-aggregator .*reason=role_not_allowed")
            self.assertIn("path_unknown", self.client(server, path="greeting/x").stdout)
            anonymous = run(tool("curl"), "-sS", "--cacert", self.folder / "certs/ca/ca.pem",
                            f"https://localhost:{server.port}/greeting", check=False)
            self.assertEqual(json.loads(anonymous.stdout)["code"], "peer_not_authenticated")

    def test_a_server_of_another_name_is_refused_and_both_sides_say_why(self):
        with self.server("127.0.0.2") as server:
            self.assertIn("[name_mismatch]\n  fix: ", self.client(server, host="127.0.0.2").stderr)
            server.wait_for_log(r"connection dropped .*reason=peer_rejected_certificate .* fix=")

    def shown(self, server):
        context = ssl.create_default_context(cafile=self.folder / "certs/ca/ca.pem")
        with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), timeout=10),
                                 server_hostname="localhost") as connection:
            return connection.getpeercert()["serialNumber"]

    def eventually(self, condition):
        deadline = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_new_certificates_and_policies_need_no_restart(self):
        with self.server() as server:
            client = subprocess.Popen([str(part) for part in (self.client_program, *self.files("client"),
                                                              f"https://localhost:{server.port}/greeting", 1000)],
                                      stdout=subprocess.PIPE, text=True)
            try:
                self.assertEqual(client.stdout.readline(), "200 hello, clementine-client\n")
                old = self.shown(server)
                self.renew("server")
                self.renew("client")
                self.eventually(lambda: self.shown(server) != old)
                # The old certificate is let in no more, so that it is the new one that is shown.
                troth("certs", "generate", "--out", self.folder / "certs", "--drop-old")
                for _ in range(3):
                    self.assertEqual(client.stdout.readline(), "200 hello, clementine-client\n")
                self.policy.write_text("[[rules]]\nmethods = [\"GET /greeting\"]\nallow = []\n")
                self.assertTrue(any(line.startswith("403 ") for line in client.stdout))
            finally:
                client.terminate()
                client.wait(timeout=10)
                client.stdout.close()

    def test_a_number_of_requests_that_is_none_is_refused(self):
        for times in ("abc", "0", "-1", "2x", ""):
            done = run(self.client_program, *self.files("client"), "https://localhost:1/greeting", times, check=False)
            self.assertEqual((done.returncode, done.stdout), (64, ""))
            self.assertIn("usage: ", done.stderr)

    def test_the_page_shows_the_programs(self):
        shown = re.findall(r"```cpp\n(.*?)```", page(), re.DOTALL)
        self.assertEqual(shown, [(SOURCE_DIR / f"examples/http/greeting_{side}.cc").read_text()
                                 for side in ("server", "client")])


if __name__ == "__main__":
    unittest.main()
