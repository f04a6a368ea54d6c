"""`troth serve` killed again and again while clients enrol: what anybody was ever told is in the store after all, and each
start works by itself. TROTH_KILLS says how often; the project's own goal is 200."""

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import ssl
import subprocess
import threading
import time
import unittest

from troth_testing import TROTH, Authority, TestCase, openssl, troth

KILLS = int(os.environ.get("TROTH_KILLS", "25"))
ENROLLERS = 5
MOST_USES = 3
PATIENCE = 30  # seconds for any single answer, restarts included


class Lost(Exception):
    """No answer came, or not all of it: the caller cannot know what was done."""


class Deployment:
    """An authority that is killed and started again on the same folder, and where it listens at the moment."""

    def __init__(self, data):
        self.data = data
        self.changed = threading.Condition()
        self.address = None
        self.starts = 0
        self.server = None

    def start(self):
        server = Authority(self.data).__enter__()
        with self.changed:
            self.server, self.address = server, server.https.rpartition(":")[::2]
            self.starts += 1
            self.changed.notify_all()
        return server

    def kill(self):
        self.server.process.kill()
        self.server.process.wait()
        self.stop()

    def stop(self):
        self.address = None
        self.server.__exit__()
        return self.server.process.returncode

    def kill_while_starting(self, after):
        """A start that is killed after so many seconds, wherever it is then."""
        process = subprocess.Popen([TROTH, "serve", "--data", str(self.data), "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=after)
        process.kill()
        return process.wait()


class Caller:
    """Calls over one kept-alive connection; makes a new one when the server was killed."""

    def __init__(self, deployment, context):
        self.deployment, self.context = deployment, context
        self.connection = None

    def ask(self, method, path, body=None, token=None):
        """(status, fields, JSON). Raises Lost when there is no whole answer."""
        address = self.deployment.address
        try:
            if address is None:
                raise ConnectionError("it is down")
            if self.connection is None:
                host, port = address
                self.connection = http.client.HTTPSConnection(host, int(port), context=self.context, timeout=PATIENCE)
            fields = {"Content-Type": "application/json"}
            if token is not None:
                fields["Authorization"] = f"Bearer {token}"
            self.connection.request(method, path, None if body is None else json.dumps(body), fields)
            answer = self.connection.getresponse()
            return answer.status, answer.headers, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise Lost(str(error)) from error

    def call(self, *arguments, **options):
        """As `ask`, but asks again until there is an answer."""
        deadline = time.monotonic() + PATIENCE
        while True:
            starts = self.deployment.starts
            try:
                return self.ask(*arguments, **options)
            except Lost:
                with self.deployment.changed:
                    # The port may be there before this thread learns of the start that made it.
                    self.deployment.changed.wait_for(lambda: self.deployment.starts != starts, timeout=0.02)
                if time.monotonic() > deadline:
                    raise

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class Load:
    """Clients of all kinds, and all that they were ever told."""

    def __init__(self, deployment, context, folder):
        self.deployment, self.context, self.folder = deployment, context, folder
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.answered = threading.Condition(self.lock)
        # What follows is guarded by `lock`.
        self.held = []  # (serial, PEM) of each answer with a certificate
        self.used = {}  # by token: how many certificates it gave
        self.most_uses = {}  # by token
        self.revoked = {}  # serial to request, once the revocation was acknowledged
        self.approved = {}  # request id to serial
        self.again = 0  # answers to a request that was sent twice
        self.failures = []
        self.threads = [threading.Thread(target=self.guarded, args=(work,), daemon=True)
                        for work in [self.enrol] * ENROLLERS + [self.revoke, self.approve]]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        """Lets every client come to the end of what it is about."""
        self.ending.set()
        for thread in self.threads:
            thread.join(2 * PATIENCE)

    def guarded(self, work):
        caller = Caller(self.deployment, self.context)
        try:
            work(caller)
        except Exception as error:  # of whatever kind: the test fails with it
            with self.answered:
                self.failures.append(f"{work.__name__}: {error!r}")
                self.answered.notify_all()
        finally:
            caller.close()

    def expect(self, good, what):
        if not good:
            raise AssertionError(what)

    def request(self, name):
        key, csr = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", key, "-out", csr,
                "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
        return csr.read_text()

    def take(self, answer, token=None, repeated=False):
        """Writes down a certificate that came."""
        status, fields, body = answer
        self.expect(status == 201, f"{status} {body}")
        serial = fields["Location"].rpartition("/")[2]
        with self.answered:
            self.held.append((serial, body["certificate"]))
            if repeated:
                self.again += 1
            elif token is not None:
                self.used[token] = self.used.get(token, 0) + 1
            self.answered.notify_all()
        return serial

    def token(self, caller, uses):
        status, _, made = caller.call("POST", "/v1/tokens", {"any_name": True, "max_uses": uses})
        self.expect(status == 201, f"{status} {made}")
        with self.lock:
            self.most_uses[made["id"]] = uses
        return made["id"], made["token"]

    def enrol(self, caller):
        """Uses tokens up, and tries each once more."""
        dice = random.Random(threading.get_ident())
        mine = [self.request(f"n{threading.get_ident()}-{i}.internal") for i in range(MOST_USES + 1)]
        while not self.ending.is_set():
            uses = dice.randint(1, MOST_USES)
            name, token = self.token(caller, uses)
            dice.shuffle(mine)
            for csr in mine[:uses]:
                serial = self.take(caller.call("POST", "/v1/certificates", {"csr": csr}, token), name)
                if dice.random() < 0.2:
                    same = self.take(caller.call("POST", "/v1/certificates", {"csr": csr}, token), repeated=True)
                    self.expect(same == serial, f"one request got {serial} and {same}")
            status, _, body = caller.call("POST", "/v1/certificates", {"csr": mine[uses]}, token)
            self.expect((status, body.get("code")) == (401, "token_invalid"), f"a used token: {status} {body}")

    def revoke(self, caller):
        count = 0
        while not self.ending.is_set():
            csr = self.request(f"revoked{count}.internal")
            count += 1
            name, token = self.token(caller, 1)
            serial = self.take(caller.call("POST", "/v1/certificates", {"csr": csr}, token), name)
            status, _, body = caller.call("POST", f"/v1/certificates/{serial}/revoke", {"reason": "keyCompromise"})
            # Who asks again, because the answer was lost, finds it done.
            self.expect(status == 200, f"{status} {body}")
            with self.lock:
                self.revoked[serial] = csr

    def approve(self, caller):
        count = 0
        while not self.ending.is_set():
            csr = self.request(f"approved{count}.internal")
            count += 1
            status, _, sent = caller.call("POST", "/v1/requests", {"csr": csr})
            self.expect(status == 202, f"{status} {sent}")
            status, _, body = caller.call("POST", f"/v1/requests/{sent['id']}/approve")
            self.expect(status == 200 or body.get("code") == "request_state", f"{status} {body}")
            status, _, now = caller.call("GET", f"/v1/requests/{sent['id']}")
            self.expect(status == 200 and now["state"] == "approved", f"{status} {now}")
            with self.lock:
                self.held.append((now["certificate_serial"], now["certificate"]))
                self.approved[sent["id"]] = now["certificate_serial"]

    def wait_for_certificates(self, count):
        """Until so many more were received."""
        with self.answered:
            goal = len(self.held) + count
            came = self.answered.wait_for(lambda: len(self.held) >= goal or self.failures, timeout=PATIENCE)
            if self.failures or not came:
                raise AssertionError(f"{self.failures or 'nobody was answered any more'}")


class ServeKillTest(TestCase):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "authority"
        self.dice = random.Random(20261121)
        self.deployment = Deployment(self.data)

    def admin(self, server):
        """What TLS needs to call as an admin."""
        stem = server.admin(self.folder)
        context = ssl.create_default_context(cafile=self.data / "root.pem")
        context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
        return context

    def troth_json(self, *argv):
        return json.loads(troth(*argv, "--json", "--data", self.data).stdout)

    def test_nothing_that_was_answered_is_lost(self):
        context = self.admin(self.deployment.start())
        self.deployment.stop()
        head = self.folder / "kept.head"
        shutil.copy(self.data / "ledger.head", head)
        begin = time.monotonic()
        self.deployment.start()
        self.addCleanup(self.deployment.stop)
        start_took = time.monotonic() - begin
        with Load(self.deployment, context, self.folder) as load:
            for kill in range(KILLS):
                load.wait_for_certificates(self.dice.randint(1, 60))
                time.sleep(self.dice.uniform(0, 0.002))  # any moment of whatever comes next
                self.deployment.kill()
                if kill % 4 == 3:
                    self.deployment.kill_while_starting(self.dice.uniform(0, 1.5 * start_took))
                self.deployment.start()
            load.wait_for_certificates(ENROLLERS)
        self.assertEqual(load.failures, [])
        self.assertFalse([thread for thread in load.threads if thread.is_alive()])
        killed = time.monotonic() - begin
        self.check_files(head)
        self.check_all(load, context)
        self.assertEqual(self.deployment.stop(), 0)
        self.check_files(head)
        self.check_files(self.data / "ledger.head")
        self.deployment.start()  # and once more after an orderly end
        print(f"{KILLS} kills in {killed:.1f} s: {len(load.held)} answers with a certificate ({load.again} of them repeated), "
              f"{len(load.most_uses)} tokens, {len(load.revoked)} revocations, {len(load.approved)} approvals", flush=True)

    def check_files(self, head):
        troth("ledger", "verify", "--data", self.data, "--head", head)
        troth("store", "check", "--data", self.data)

    def check_all(self, load, context):
        stored = self.troth_json("certificates", "list", "--all", "--limit", "1000000")["certificates"]
        by_serial = {each["serial"]: each for each in stored}
        self.assertEqual(len(by_serial), len(stored), "a serial number was given twice")

        held = dict(load.held)
        self.assertEqual(len(held), len(set(held.values())))
        self.assertEqual(set(load.held), set(held.items()), "one serial number, two certificates")
        self.assertEqual(set(held) - set(by_serial), set(), "certificates that clients hold and the store lacks")
        caller = Caller(self.deployment, context)
        for serial, certificate in held.items():
            status, _, body = caller.call("GET", f"/v1/certificates/{serial}")
            self.assertEqual((status, body.get("certificate")), (200, certificate), serial)

        # Each client has come to its end: what was issued is what it was told, and the tokens say so too.
        given = {}
        for each in stored:
            given[each["token"]] = given.get(each["token"], 0) + 1
        tokens = {each["id"]: each for each in self.troth_json("tokens", "list", "--all")["tokens"]}
        for name, most in load.most_uses.items():
            token = tokens[name]
            self.assertEqual((token["max_uses"], token["uses"], given.get(name, 0)), (most, load.used[name], load.used[name]), token)
            self.assertLessEqual(given.get(name, 0), most, token)

        listed = openssl("crl", "-inform", "DER", "-in", self.fetch("/crl/1"), "-noout", "-text").stdout.lower()
        for serial, csr in load.revoked.items():
            self.assertEqual(by_serial[serial]["state"], "revoked", serial)
            self.assertIn(serial, listed)
        for csr in list(load.revoked.values())[-5:]:
            _, _, made = caller.call("POST", "/v1/tokens", {"any_name": True})
            status, _, body = caller.call("POST", "/v1/certificates", {"csr": csr}, made["token"])
            self.assertEqual((status, body.get("code")), (401, "certificate_revoked"), body)
        for request, serial in load.approved.items():
            self.assertEqual(by_serial[serial]["request_sha256"], request)
        self.assertGreater(len(load.revoked), 0)
        self.assertGreater(len(load.approved), 0)
        caller.close()

    def fetch(self, path):
        host, port = self.deployment.address
        connection = http.client.HTTPSConnection(host, int(port), timeout=PATIENCE,
                                                 context=ssl.create_default_context(cafile=self.data / "root.pem"))
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            file = self.folder / "fetched"
            file.write_bytes(answer.read())
            return file

    def test_a_first_start_that_is_killed_is_done_by_the_next(self):
        begin = time.monotonic()
        with Authority(self.folder / "whole"):
            took = time.monotonic() - begin
        for i in range(8):
            deployment = Deployment(self.folder / f"killed{i}")
            ended = deployment.kill_while_starting(took * (i + 1) / 8)
            self.assertEqual(ended, -signal.SIGKILL)
            server = deployment.start()
            try:
                root = (deployment.data / "root.pem").read_text()
                server.token("a.internal")
            finally:
                self.assertEqual(deployment.stop(), 0)
            # What the next start finds is what this one made.
            deployment.start()
            deployment.stop()
            self.assertEqual((deployment.data / "root.pem").read_text(), root)
            troth("store", "check", "--data", deployment.data)


if __name__ == "__main__":
    unittest.main()
