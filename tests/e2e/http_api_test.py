"""The HTTP interface of an authority, with curl and openssl: every example of docs/http-api.md as it stands there, every
refusal once, lists and numbers."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from troth_testing import SOURCE_DIR, TROTH, Authority, TestCase, openssl, run, tool, troth

DOCS = SOURCE_DIR / "docs" / "http-api.md"
ADMIN = "spiffe://troth.internal/troth/admin/alice"


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The reason of a problem; nothing when the answer is none."""
        if self.fields.get("content-type") != "application/problem+json":
            return None
        problem = self.json
        assert problem["status"] == self.status, problem
        assert problem["type"].endswith("#" + problem["code"]), problem
        return problem["code"]


class ApiTestCase(TestCase):
    """A test with an authority, `self.authority`, for all tests of its class, and people to call it."""

    flags = ()

    @classmethod
    def setUpClass(cls):
        tool("curl")
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix="troth-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.home, ignore_errors=True)
        cls.authority = Authority(cls.home / "authority", *cls.flags).__enter__()
        cls.addClassCleanup(cls.authority.__exit__)
        cls.root = cls.home / "authority" / "root.pem"
        cls.count = 0

    def call(self, method, path, *flags, body=None, token=None, who=None, plain=False):
        """One request. `body`: JSON, or a text as it is. `who`: the stem of PEM files that certify the caller."""
        fields_file, body_file = self.folder / "answer.fields", self.folder / "answer.body"
        argv = [tool("curl"), "--silent", "--show-error", "--max-time", "30", "--dump-header", fields_file, "--output", body_file,
                "--write-out", "%{http_code}", *flags]
        argv += ["--head"] if method == "HEAD" else ["--request", method]
        if body is not None:
            sent = self.folder / "sent.body"
            sent.write_text(body if isinstance(body, str) else json.dumps(body))
            argv += ["--data-binary", f"@{sent}"]
            if "--header" not in flags:
                argv += ["--header", "Content-Type: application/json"]
        if token is not None:
            field = self.folder / "token.field"
            field.write_text(f"Authorization: Bearer {token}")
            argv += ["--header", f"@{field}"]
        if who is not None:
            argv += ["--cert", f"{who}.pem", "--key", f"{who}.key"]
        base = f"http://{self.authority.http}" if plain else f"https://{self.authority.https}"
        body_file.unlink(missing_ok=True)
        status = run(*argv, "--cacert", self.root, base + path).stdout
        fields = {}
        for line in fields_file.read_text().splitlines()[1:]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return Answer(int(status), fields, body_file.read_text() if body_file.exists() else "")

    def refused(self, status, code, *arguments, **options):
        answer = self.call(*arguments, **options)
        self.assertEqual((answer.status, answer.code), (status, code), answer.body)
        return answer

    def request_for(self, name, stem=None, key="ec"):
        """A key, and the request for it; its PEM text."""
        stem = stem or self.folder / name.rpartition("/")[2]
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else ["-newkey", key]
        uri = "://" in name
        openssl("req", "-new", *kind, "-noenc", "-keyout", f"{stem}.key", "-out", f"{stem}.csr",
                "-subj", "/" if uri else f"/CN={name}", "-addext", f"subjectAltName={'URI' if uri else 'DNS'}:{name}")
        return pathlib.Path(f"{stem}.csr").read_text()

    def token(self, *names, **flags):
        more = [part for name, value in flags.items() for part in (f"--{name.replace('_', '-')}", value)]
        return self.authority.token(*names, flags=more)

    def enrolled(self, name, **flags):
        """Enrols `name`: the stem of its files, which `who` takes."""
        type(self).count += 1
        stem = self.home / f"peer{self.count}"
        answer = self.call("POST", "/v1/certificates", token=self.token(name, **flags), body={"csr": self.request_for(name, stem)})
        self.assertEqual(answer.status, 201, answer.body)
        pathlib.Path(f"{stem}.pem").write_text(answer.json["certificate"] + answer.json["chain"])
        return stem

    @property
    def admin(self):
        if not hasattr(type(self), "admin_stem"):
            type(self).admin_stem = self.enrolled(ADMIN, profile="admin")
        return self.admin_stem

    def serial(self, stem):
        return openssl("x509", "-in", f"{stem}.pem", "-noout", "-serial").stdout.strip().partition("=")[2].lower()


class Documentation(ApiTestCase):
    def blocks(self):
        """Pairs of the commands of each `sh` block and the `json` block that follows it, if one does."""
        found = re.findall(r"^```(\w+)\n(.*?)^```$", DOCS.read_text(), re.M | re.S)
        for i, (language, text) in enumerate(found):
            if language == "sh":
                answer = found[i + 1] if i + 1 < len(found) else ("", "")
                yield text, json.loads(answer[1]) if answer[0] == "json" else None

    def like(self, example, got, where):
        """The same members, in every depth; the same values but for those that are made anew each time."""
        self.assertEqual(type(example), type(got), where)
        if isinstance(example, dict):
            self.assertEqual(sorted(example), sorted(got), where)
            for name in example:
                self.like(example[name], got[name], f"{where}.{name}")
        elif isinstance(example, list):
            self.assertEqual(len(example), len(got), where)
            for i, (left, right) in enumerate(zip(example, got)):
                self.like(left, right, f"{where}[{i}]")
        elif isinstance(example, str) and example.endswith("..."):
            self.assertRegex(got, "^" + re.escape(example[:4]) if example.startswith(("-----", "/v1", "troth1")) else "^[0-9a-f]{16,}$",
                             where)
        elif isinstance(example, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", example):
            self.assertRegex(got, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", where)
        elif isinstance(example, str) and re.fullmatch(r"[0-9a-f]{16}", example):
            self.assertRegex(got, "^[0-9a-f]{16}$", where)
        else:
            self.assertEqual(example, got, where)

    def test_every_example_works_as_it_stands_there(self):
        tool("jq")
        programs = self.folder / "programs"
        programs.mkdir()
        (programs / "troth").symlink_to(TROTH)
        folder = self.home
        env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        ran = 0
        for commands, example in self.blocks():
            actual = commands.replace("127.0.0.1:8443", self.authority.https)
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", actual], cwd=folder, env=env, text=True, timeout=60,
                                  capture_output=True, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0, f"{actual}\n{done.stdout}{done.stderr}")
            if example is not None:
                self.like(example, json.loads(done.stdout), commands.splitlines()[-1])
            ran += 1
        self.assertGreater(ran, 20)

    def test_every_path_is_there(self):
        text = DOCS.read_text()
        for path in ("/v1/certificates", "/v1/certificates/renew", "/v1/certificates/{serial}", "/v1/certificates/{serial}/revoke",
                     "/v1/requests", "/v1/requests/{id}", "/v1/requests/{id}/approve", "/v1/requests/{id}/reject", "/v1/tokens",
                     "/v1/tokens/{id}/revoke", "/v1/trust-bundle", "/healthz", "/metrics", "/crl", "/crl/{number}", "/issuer/{number}"):
            self.assertRegex(text, rf"`(GET|POST) {re.escape(path)}`", path)


class Refusals(ApiTestCase):
    def enrol(self, csr, token, status, code, **more):
        return self.refused(status, code, "POST", "/v1/certificates", body={"csr": csr, **more}, token=token)

    def test_bodies(self):
        token = self.token("a.internal")
        for body in ("", "csr=x", "[]", '{"csr": "x", "csr": "x"}', '{"csr": "x"} x'):
            with self.subTest(body):
                expected = "parameter_invalid" if body == "" else "json_malformed"
                self.refused(400, expected, "POST", "/v1/certificates", body=body, token=token)
        for body in ({}, {"crs": "x"}, {"csr": 1}, {"csr": "x", "lifetime_seconds": "1h"}):
            with self.subTest(body):
                self.refused(400, "parameter_invalid", "POST", "/v1/certificates", body=body, token=token)
        self.refused(415, "media_type_unknown", "POST", "/v1/requests", "--header", "Content-Type: text/plain", body={"csr": "x"})
        self.refused(413, "body_too_large", "POST", "/v1/requests", body={"csr": "x" * 200_000})
        self.refused(413, "body_too_large", "POST", "/v1/requests", "--header", "Content-Type: application/json", "--header", "Expect:",
                     body={"csr": "x" * 2_000_000})

    def test_requests_that_are_none(self):
        token = self.token("a.internal")
        csr = self.request_for("a.internal")
        self.enrol("x", token, 400, "request_malformed")
        self.enrol(csr.replace("CERTIFICATE REQUEST", "CERTIFICATE"), token, 400, "request_malformed")
        self.enrol(self.request_for("a.internal", key="rsa:1024"), token, 401, "key_too_weak")
        self.enrol(csr, token, 400, "usage_error", lifetime_seconds=3_000_000_000)
        # None of these has used the token up.
        self.assertEqual(self.call("POST", "/v1/certificates", body={"csr": csr}, token=token).status, 201)

    def test_tokens(self):
        csr = self.request_for("a.internal")
        token = self.token("a.internal")
        answer = self.enrol(csr, None, 401, "token_invalid")
        self.assertEqual(answer.fields["www-authenticate"], "Bearer")
        self.enrol(csr, "troth1.nonsense", 401, "token_invalid")
        self.enrol(self.request_for("b.internal"), token, 403, "name_not_permitted")
        self.assertEqual(self.call("POST", "/v1/certificates", body={"csr": csr}, token=token).status, 201)
        self.enrol(self.request_for("a.internal"), token, 401, "token_invalid")

        self.until_expired(self.token("a.internal", expires="1s"))

    def until_expired(self, token):
        csr = self.request_for("nobody.internal")  # does not use it up
        deadline = time.monotonic() + 10
        while True:
            answer = self.call("POST", "/v1/certificates", body={"csr": csr}, token=token)
            if answer.code == "token_expired" or time.monotonic() > deadline:
                break
        self.assertEqual((answer.status, answer.code), (401, "token_expired"), answer.body)

    def test_callers(self):
        self.refused(401, "peer_not_authenticated", "GET", "/v1/certificates")
        self.refused(401, "peer_not_authenticated", "POST", "/v1/certificates/renew", body={"csr": "x"})
        service = self.enrolled("a.internal")
        self.refused(403, "role_not_allowed", "GET", "/v1/certificates", who=service)
        self.refused(403, "role_not_allowed", "POST", "/v1/tokens", body={"any_name": True}, who=service)
        self.refused(403, "no_rule_matches", "GET", "/nothing", who=service)
        self.refused(401, "peer_not_authenticated", "GET", "/nothing")
        self.refused(403, "name_not_permitted", "POST", "/v1/certificates/renew", who=service,
                     body={"csr": self.request_for("b.internal")})
        # Somebody else's certificate makes its holder nobody.
        foreign = self.folder / "foreign"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", f"{foreign}.key",
                "-out", f"{foreign}.pem", "-subj", "/", "-addext", f"subjectAltName=URI:{ADMIN}", "-addext",
                "basicConstraints=critical,CA:FALSE")
        self.refused(401, "certificate_self_signed", "GET", "/v1/certificates", who=foreign)
        self.assertEqual(self.call("GET", "/v1/trust-bundle", who=foreign).status, 200)

    def test_the_revoked(self):
        service = self.enrolled("gone.internal")
        serial = self.serial(service)
        self.assertEqual(self.call("POST", f"/v1/certificates/{serial}/revoke", who=self.admin).status, 200)
        self.refused(401, "certificate_revoked", "POST", "/v1/certificates/renew", who=service,
                     body={"csr": self.request_for("gone.internal")})
        # Its key is not certified again either.
        csr = self.folder / "again.csr"
        openssl("req", "-new", "-key", f"{service}.key", "-out", csr, "-subj", "/CN=gone.internal")
        self.enrol(csr.read_text(), self.token("gone.internal"), 401, "certificate_revoked")

        admin = self.enrolled("spiffe://troth.internal/troth/admin/mallory", profile="admin")
        self.assertEqual(self.call("GET", "/v1/tokens", who=admin).status, 200)
        self.assertEqual(self.call("POST", f"/v1/certificates/{self.serial(admin)}/revoke", who=self.admin).status, 200)
        self.refused(401, "certificate_revoked", "GET", "/v1/tokens", who=admin)

    def test_what_is_not_there(self):
        for method, path, code in (("GET", "/v1/requests/" + 64 * "a", "request_unknown"),
                                   ("POST", "/v1/requests/nobody.internal/approve", "request_unknown"),
                                   ("GET", "/v1/certificates/4e0102", "certificate_unknown"),
                                   ("POST", "/v1/certificates/4e0102/revoke", "certificate_unknown"),
                                   ("GET", "/v1/nothing", "path_unknown"), ("GET", "/crl/77", "path_unknown"),
                                   ("GET", "/issuer/77", "path_unknown")):
            with self.subTest(path):
                self.refused(404, code, method, path, who=self.admin)
        self.refused(400, "parameter_invalid", "GET", "/v1/requests/12", who=self.admin)
        self.refused(400, "parameter_invalid", "GET", "/v1/certificates?nam=x", who=self.admin)
        self.refused(400, "parameter_invalid", "GET", "/v1/certificates?limit=0", who=self.admin)
        self.refused(400, "usage_error", "POST", "/v1/requests", body={"csr": self.request_for("a.internal"), "profile": "sever"})
        self.refused(400, "usage_error", "POST", "/v1/tokens", body={}, who=self.admin)
        answer = self.refused(405, "method_not_allowed", "DELETE", "/v1/certificates/4e0102", who=self.admin)
        self.assertEqual(answer.fields["allow"], "GET")

    def test_states(self):
        first = self.request_for("state.internal", self.folder / "first")
        second = self.request_for("state.internal", self.folder / "second")
        for csr in (first, second):
            self.assertEqual(self.call("POST", "/v1/requests", body={"csr": csr}).status, 202)
        self.refused(409, "request_ambiguous", "POST", "/v1/requests/state.internal/approve", who=self.admin)
        listed = self.call("GET", "/v1/requests?name=state.internal", who=self.admin).json["requests"]
        self.assertEqual([len(each["same_name_other_key"]) for each in listed], [1, 1])
        ids = [each["id"] for each in listed]
        self.assertEqual(self.call("POST", f"/v1/requests/{ids[0]}/approve", who=self.admin).status, 200)
        self.assertEqual(self.call("POST", f"/v1/requests/{ids[1][:12]}/reject", body={"note": "twice"}, who=self.admin).status, 200)
        self.refused(409, "request_state", "POST", f"/v1/requests/{ids[0]}/approve", who=self.admin)
        self.refused(409, "request_state", "POST", f"/v1/requests/{ids[1]}/approve", who=self.admin)
        rejected = self.call("GET", f"/v1/requests/{ids[1]}").json
        self.assertEqual((rejected["state"], rejected["decision_note"]), ("rejected", "twice"))
        answer = self.refused(403, "request_rejected", "POST", "/v1/requests", body={"csr": second})
        self.assertIn("twice", answer.json["detail"])


class TooMany(ApiTestCase):
    def test_requests_of_one_address_are_capped(self):
        for i in range(100):
            answer = self.call("POST", "/v1/requests", body={"csr": self.request_for(f"n{i}.internal")})
            if answer.status != 202:
                break
        self.assertEqual((answer.status, answer.code), (429, "too_many_requests"), f"after {i}: {answer.body}")


class Certificates(ApiTestCase):
    flags = ("--http-listen", "127.0.0.1:0")

    def test_what_is_issued_is_good_for_openssl_and_for_the_next_call(self):
        service = self.enrolled("db.internal")
        openssl("verify", "-CAfile", self.root, "-untrusted", f"{service}.pem", "-verify_hostname", "db.internal", f"{service}.pem")
        renewed = self.call("POST", "/v1/certificates/renew", who=service,
                            body={"csr": self.request_for("db.internal"), "lifetime_seconds": 7200})
        self.assertEqual(renewed.status, 201, renewed.body)
        serial = renewed.fields["location"].rpartition("/")[2]
        shown = self.call("GET", renewed.fields["location"], who=self.admin).json
        self.assertEqual(shown["serial"], serial)
        self.assertEqual(shown["lineage"], self.serial(service))
        self.assertEqual(shown["certificate"], renewed.json["certificate"])
        self.assertEqual(shown["names"], ["db.internal"])

    def test_every_built_in_profile_is_renewed_by_its_holder(self):
        for profile, usage in ("default", "TLS Web Client"), ("server", "TLS Web Server"), ("client", "TLS Web Client"):
            who = self.enrolled(f"{profile}.internal", profile=profile)
            self.assertIn(usage, openssl("x509", "-in", f"{who}.pem", "-noout", "-ext", "extendedKeyUsage").stdout)
            renewed = self.call("POST", "/v1/certificates/renew", who=who,
                                body={"csr": self.request_for(f"{profile}.internal")})
            self.assertEqual(renewed.status, 201, f"{profile}: {renewed.body}")

    def test_lists_come_in_pages(self):
        stems = [self.enrolled(f"page{i}.internal") for i in range(5)]
        got, path, pages = [], "/v1/certificates?name=page*&limit=2", 0
        while path:
            page = self.call("GET", path, who=self.admin).json
            got += [each["serial"] for each in page["certificates"]]
            path, pages = page.get("next"), pages + 1
        self.assertEqual(got, [self.serial(stem) for stem in reversed(stems)])
        self.assertEqual(pages, 3)

    def list_of(self, number):
        der, pem = self.folder / f"{number}.crl", self.folder / f"{number}.crl.pem"
        run(tool("curl"), "--silent", "--fail", "--output", der, f"http://{self.authority.http}/crl/{number}")
        openssl("crl", "-inform", "DER", "-in", der, "-out", pem)
        return pem.read_text()

    def test_a_list_revokes_for_openssl(self):
        service = self.enrolled("revoked.internal")
        lists = self.folder / "lists.pem"

        def verify():
            lists.write_text(self.list_of(1) + self.list_of(0))
            return openssl("verify", "-crl_check_all", "-CRLfile", lists, "-CAfile", self.root, "-untrusted", f"{service}.pem",
                           f"{service}.pem", check=False)

        self.assertEqual(verify().returncode, 0)
        answer = self.call("POST", f"/v1/certificates/{self.serial(service)}/revoke", body={"reason": "keyCompromise"}, who=self.admin)
        self.assertEqual(answer.json["certificates"][0]["revocation_reason"], "keyCompromise")
        deadline = time.monotonic() + 20
        while (done := verify()).returncode == 0 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertIn("certificate revoked", done.stdout + done.stderr)
        text = openssl("crl", "-in", self.folder / "1.crl.pem", "-noout", "-text").stdout
        self.assertIn("Key Compromise", text)

    def test_health_and_numbers_are_on_both_listeners(self):
        for plain in (False, True):
            with self.subTest(plain=plain):
                health = self.call("GET", "/healthz", plain=plain)
                self.assertEqual((health.status, health.body), (200, "ok\n"))
                self.assertEqual(self.call("HEAD", "/healthz", plain=plain).status, 200)
        before = self.numbers()
        self.enrolled("counted.internal")
        self.refused(401, "token_invalid", "POST", "/v1/certificates", body={"csr": "x"}, token="troth1.x")
        after = self.numbers()
        self.assertEqual(after["troth_issued_total"], before["troth_issued_total"] + 1)
        self.assertEqual(after["troth_issue_seconds_count"], before["troth_issue_seconds_count"] + 1)
        refused = 'troth_refused_total{reason="token_invalid"}'
        self.assertEqual(after[refused], before.get(refused, 0) + 1)
        self.assertGreater(after["troth_store_certificates"], 0)
        self.assertGreater(after["troth_store_bytes"], 0)

    def numbers(self):
        answer = self.call("GET", "/metrics", plain=True)
        self.assertEqual(answer.fields["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        lines = [line for line in answer.body.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def test_plain_http_has_nothing_else(self):
        self.assertEqual(self.call("GET", "/v1/trust-bundle", plain=True).code, "path_unknown")
        self.assertEqual(self.call("POST", "/v1/tokens", body={"any_name": True}, plain=True).code, "path_unknown")

    def test_an_issuer_is_found_where_certificates_say(self):
        der = self.folder / "issuer.der"
        run(tool("curl"), "--silent", "--fail", "--output", der, f"http://{self.authority.http}/issuer/1")
        issuer = openssl("x509", "-inform", "DER", "-in", der).stdout
        service = self.enrolled("aia.internal")
        self.assertIn(issuer, pathlib.Path(f"{service}.pem").read_text())


if __name__ == "__main__":
    unittest.main()
