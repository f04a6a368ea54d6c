"""`troth serve` among clients that mean no good: it answers the others within a second, in bounded memory, says in a bounded
log what it dropped, and gives everything back. Each attack alone, all at once, and without descriptors."""

import contextlib
import http.client
import multiprocessing
import os
import pathlib
import random
import re
import resource
import socket
import ssl
import struct
import threading
import time
import unittest

from troth_testing import TROTH, Authority, TestCase, run, tool

CROWD = 2000  # connections that do nothing
SOONEST = 11  # seconds that they stay: longer than a handshake may take
# A sanitizer has its own memory and time.
SANITIZED = bool(os.environ.get("TROTH_SANITIZE"))
MOST_MEMORY = (4096 if SANITIZED else 150) << 20
LONGEST_ANSWER = 5.0 if SANITIZED else 1.0  # seconds
# More than one line of each kind in a tenth of a second is a flood.
MOST_LINES_PER_SECOND = 120
DESCRIPTORS = 6000  # that this test and the server each need

NOBODY = ssl.create_default_context()
NOBODY.check_hostname = False
NOBODY.verify_mode = ssl.CERT_NONE
SPEAKS_H2 = ssl.create_default_context()
SPEAKS_H2.check_hostname = False
SPEAKS_H2.verify_mode = ssl.CERT_NONE
SPEAKS_H2.set_alpn_protocols(["h2"])

H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
H2_SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /v1/requests HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


def at(address, source="127.0.0.1"):
    """A connection to "HOST:PORT", from an address of our own choice: a neighbourhood is more than one."""
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=10, source_address=(source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def tls_at(address, source="127.0.0.1", context=NOBODY):
    return context.wrap_socket(at(address, source), server_hostname="localhost")


def client_hello(context=NOBODY):
    out = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return out.read()


def rest_of(connection, most=1 << 16):
    """What still comes until the end, or until nothing more does."""
    got = b""
    try:
        while len(got) < most and (part := connection.recv(4096)):
            got += part
    except OSError:
        pass
    return got


def below(connection):
    """The same connection under its TLS."""
    return socket.socket(fileno=os.dup(connection.fileno()))


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# Attacks. Each is given an open connection to ruin, and a source of chance.


def sends(*pieces):
    """Sends these, then looks what comes."""

    def attack(connection, dice):
        for piece in pieces:
            connection.sendall(piece)
        connection.settimeout(0.3)
        return rest_of(connection)

    return attack


def trickles(text, pause=0.002, most=400):
    def attack(connection, dice):
        for i in range(min(len(text), most)):
            connection.sendall(text[i:i + 1])
            time.sleep(pause)

    return attack


def sends_noise(connection, dice):
    connection.sendall(dice.randbytes(dice.randint(1, 3000)))
    connection.settimeout(0.1)
    rest_of(connection)


def noise_inside_a_handshake(connection, dice):
    hello = bytearray(client_hello())
    for _ in range(dice.randint(1, 8)):
        hello[dice.randrange(5, len(hello))] = dice.randrange(256)
    connection.sendall(bytes(hello) + dice.randbytes(dice.randint(0, 100)))
    connection.settimeout(0.1)
    rest_of(connection)


def part_of_a_handshake_then_reset(connection, dice):
    hello = client_hello()
    connection.sendall(hello[:dice.randrange(1, len(hello))])
    reset(connection)


def noise_under_tls(connection, dice):
    with contextlib.closing(below(connection)) as under:
        under.sendall(dice.randbytes(dice.randint(1, 500)))
        under.settimeout(0.1)
        rest_of(under)


def alerts_under_tls(connection, dice):
    with contextlib.closing(below(connection)) as under:
        under.sendall(b"\x15\x03\x03\0\x02\x02" + bytes([dice.randrange(120)]))
        under.settimeout(0.1)
        rest_of(under)


def goodbye_inside_a_request(connection, dice):
    connection.sendall(POST + b"Content-Length: 100\r\n\r\nabc")
    connection.settimeout(0.2)
    if isinstance(connection, ssl.SSLSocket):
        with contextlib.suppress(OSError):
            connection.unwrap()


def resets_inside_a_request(connection, dice):
    connection.sendall(POST + b"Content-Length: 100\r\n\r\nabc")
    reset(connection)


def never_reads(connection, dice):
    connection.settimeout(0.2)
    with contextlib.suppress(OSError):
        for _ in range(200):
            connection.sendall(GET * 10)


def floods(head, piece, most):
    """Sends the head and then one piece again and again, as long as anybody takes it."""

    def attack(connection, dice):
        connection.settimeout(0.5)
        with contextlib.suppress(OSError):
            connection.sendall(head)
            sent = 0
            while sent < most:
                connection.sendall(piece)
                sent += len(piece)
        return rest_of(connection)

    return attack


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def rapid_resets(connection, dice):
    """Streams that are opened and given up at once."""
    fields = b"".join(literal(*each) for each in (
        (b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/troth.v1.Authority/ListTokens"), (b":authority", b"a"),
        (b"content-type", b"application/grpc"), (b"te", b"trailers")))
    connection.settimeout(0.3)
    with contextlib.suppress(OSError):
        connection.sendall(H2_PREFACE + H2_SETTINGS)
        for i in range(500):
            connection.sendall(frame(1, 4, 2 * i + 1, fields) + frame(3, 0, 2 * i + 1, struct.pack(">I", 8)))
    rest_of(connection)


def endless_fields(connection, dice):
    """A header block that is continued and continued."""
    connection.settimeout(0.3)
    with contextlib.suppress(OSError):
        connection.sendall(H2_PREFACE + H2_SETTINGS + frame(1, 0, 1, literal(b"a", b"b")))
        for _ in range(300):
            connection.sendall(frame(9, 0, 1, literal(b"x" * 100, b"y" * 100) * 40))
    rest_of(connection)


# What is refused is answered with these, and then the connection ends.
REFUSED = {
    "length and coding": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET, 400),
    "coding and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + GET, 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef" + GET, 400),
    "negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "length with a sign": (POST + b"Content-Length: +5\r\n\r\nabcde", 400),
    "length beyond numbers": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
    "length beyond limits": (POST + b"Content-Length: 999999999999\r\n\r\n", 413),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "hidden coding": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "folded coding": (POST + b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 3\r\n\r\nabc", 400),
    "coding of 1.0": (b"POST /v1/requests HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunk of no size": (POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n", 400),
    "chunk beyond numbers": (POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400),
    "chunk larger than it says": (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcdefgh\r\n0\r\n\r\n", 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "no request": (b"\x80\x01\x02 what is this\r\n\r\n", 400),
    "HTTP/2": (H2_PREFACE + H2_SETTINGS, 400),
    "large header": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20000 + b"\r\n\r\n", 431),
    "many fields": (b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 6000 + b"\r\n", 431),
}

IN_REQUESTS = [sends(text) for text, _ in REFUSED.values()] + [
    trickles(POST + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000),
    trickles(b"GET /" + b"x" * 1000),
    sends(POST + b"Content-Length: 50\r\n\r\nabc"),
    sends(POST + b"Content-Length: 2\r\n\r\n{}garbage behind the body"),
    goodbye_inside_a_request,
    resets_inside_a_request,
    never_reads,
    floods(b"GET /", b"x" * 8192, 4 << 20),
    floods(b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n" * 1000, 4 << 20),
    floods(POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n", 8 << 20),
    floods(POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 8192, 4 << 20),
    floods(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000, 4 << 20),
    floods(POST + b"Content-Length: 999999999\r\nExpect: 100-continue\r\n\r\n", b"x" * 8192, 4 << 20),
]
BEFORE_TLS = [
    sends(GET), sends(H2_PREFACE + H2_SETTINGS), sends(b"SSH-2.0-x\r\n"), sends(b"\x15\x03\x03\0\x02\x02\x28"),
    sends(b"\x16\x03\x01\xff\xff" + b"\x01" * 3000), sends(b"\x16\x03\x01\0\0" * 500), sends(b"\x80\x2e\x01\x03\x01"),
    sends(client_hello(), b"\x17\x03\x03\0\x05hello"), sends(client_hello(), client_hello()),
    sends_noise, noise_inside_a_handshake, part_of_a_handshake_then_reset, trickles(client_hello()),
]
UNDER_TLS = [noise_under_tls, alerts_under_tls]
IN_GRPC = [sends(GET), sends(H2_PREFACE), sends_noise, rapid_resets, endless_fields,
           sends(H2_PREFACE + H2_SETTINGS + frame(0, 0, 1, b"x" * 16384) * 4),
           sends(H2_PREFACE + H2_SETTINGS + b"\xff\xff\xff\x01\x04\0\0\0\x01"),
           sends(H2_PREFACE + H2_SETTINGS * 2000), sends(H2_PREFACE + H2_SETTINGS + frame(6, 0, 0, b"12345678") * 2000)]


def attacks_on(authority):
    """(opens a connection, ruins it) of all kinds."""
    return ([(lambda source: at(authority.https, source), each) for each in BEFORE_TLS] +
            [(lambda source: tls_at(authority.https, source), each) for each in IN_REQUESTS + UNDER_TLS] +
            [(lambda source: tls_at(authority.https, source, SPEAKS_H2), sends(H2_PREFACE + H2_SETTINGS))] +
            [(lambda source: at(authority.http, source), each) for each in IN_REQUESTS + BEFORE_TLS] +
            [(lambda source: at(authority.grpc, source), each) for each in BEFORE_TLS] +
            [(lambda source: tls_at(authority.grpc, source, SPEAKS_H2), each) for each in IN_GRPC + UNDER_TLS] +
            [(lambda source: tls_at(authority.grpc, source), sends(GET))])


class GoodClient:
    """A process of its own that uses an authority as one should, and measures how long it waits. Takes turns between a new
    connection, a kept one, plain HTTP, and a call over gRPC."""

    def __init__(self, authority, admin):
        self.authority, self.admin = authority, admin

    def __enter__(self):
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=self.work, args=(theirs,), daemon=True)
        self.process.start()
        return self

    def __exit__(self, *_):
        """`answers` is then how many there were, and `longest` the slowest of each kind, in seconds."""
        self.pipe.send("stop")
        self.answers, self.longest, self.failures = self.pipe.recv()
        self.process.join()

    def work(self, pipe):
        ours = ssl.create_default_context(cafile=self.authority.data / "root.pem")
        host, port = self.authority.https.rsplit(":", 1)
        kept = http.client.HTTPSConnection(host, int(port), context=ours, timeout=20)
        answers, longest, failures = 0, {}, []
        kinds = {
            "new": lambda: self.ask(http.client.HTTPSConnection(host, int(port), context=ours, timeout=20)),
            "kept": lambda: self.ask(kept, keep=True),
            "plain": lambda: self.ask(http.client.HTTPConnection(*self.authority.http.rsplit(":", 1), timeout=20), "/healthz"),
            "grpc": self.call,
        }
        while answers == 0 or not pipe.poll(0.02):
            for kind, question in kinds.items():
                begin = time.monotonic()
                try:
                    question()
                except Exception as error:  # of whatever kind: it is reported
                    failures.append(f"{kind}: {error!r}")
                longest[kind] = max(longest.get(kind, 0), time.monotonic() - begin)
                answers += 1
        pipe.send((answers, longest, failures))

    def ask(self, connection, path="/v1/trust-bundle", keep=False):
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A server may close a connection that is idle.
            if not keep:
                raise
            connection.close()
            connection.request("GET", path)
            answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200 and body, (answer.status, body)
        if not keep:
            connection.close()

    def call(self):
        run(TROTH, "tokens", "list", "--server", self.authority.grpc, "--certificate", f"{self.admin}.pem", "--private-key",
            f"{self.admin}.key", "--trust-bundle", self.authority.data / "root.pem")


class Neighbourhood(TestCase):
    under = ()

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
            self.skipTest(f"needs {DESCRIPTORS} descriptors (ulimit -Hn), got {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.authority = Authority(self.folder / "authority", "--http-listen", "127.0.0.1:0", under=self.under).__enter__()
        self.addCleanup(self.end)
        self.admin = self.authority.admin(self.folder)

    def end(self):
        if self.authority is not None:
            self.authority.__exit__()
            self.assertEqual(self.authority.process.returncode, 0, self.authority.errors[-3000:])

    def status(self, field):
        text = pathlib.Path(f"/proc/{self.authority.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.M).group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.authority.process.pid}/fd"))

    def eventually(self, condition, what, timeout=20):
        deadline = time.monotonic() + timeout
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)


class AttackTest(Neighbourhood):
    def test_what_is_ambiguous_or_too_large_is_refused_and_nothing_hides_behind_it(self):
        # The plain listener takes no bodies, and may say that first.
        for opens, instead in ((lambda: tls_at(self.authority.https), []), (lambda: at(self.authority.http), [["413"]])):
            for name, (text, status) in REFUSED.items():
                with self.subTest(name), contextlib.closing(opens()) as connection:
                    connection.sendall(text)
                    got = rest_of(connection).decode(errors="replace")
                    self.assertIn(re.findall(r"HTTP/1\.1 (\d+)", got), [[str(status)], *instead], got)
                    self.assertIn("application/problem+json", got)

    def test_bodies_of_another_length_than_they_say(self):
        # Shorter: no answer before it is whole, and the time for it is limited. Longer: the rest is no request.
        with contextlib.closing(tls_at(self.authority.https)) as connection:
            connection.sendall(POST + b"Content-Length: 2\r\n\r\n{}garbage\r\n\r\n")
            got = rest_of(connection).decode()
            self.assertEqual(re.findall(r'"code":"(\w+)"', got), ["parameter_invalid", "http_malformed"], got)
        with contextlib.closing(tls_at(self.authority.https)) as connection:
            connection.sendall(POST + b"Content-Length: 20\r\n\r\n{}")
            connection.settimeout(0.5)
            self.assertEqual(rest_of(connection), b"")

    def test_https_is_told_to_who_speaks_http(self):
        for text in (GET, H2_PREFACE):
            with contextlib.closing(at(self.authority.https)) as connection:
                connection.sendall(text)
                self.assertIn(b"https://", rest_of(connection))


class CrowdTest(Neighbourhood):
    def crowd(self):
        """Connections that are open and do nothing: most to HTTPS, in three states, and some to the other listeners."""
        hello = client_hello()
        all_of_them = []
        for i in range(CROWD):
            source = f"127.0.0.{2 + i % 4}"  # of one address alone, there may be half as many
            if i % 10 < 4:
                all_of_them.append(tls_at(self.authority.https, source))
            elif i % 10 < 6:
                all_of_them.append(at(self.authority.https, source))
            elif i % 10 < 8:
                all_of_them.append(at(self.authority.https, source))
                all_of_them[-1].sendall(hello[:100 + i % 100])
            elif i % 10 == 8:
                all_of_them.append(tls_at(self.authority.grpc, source, SPEAKS_H2) if i % 20 == 8 else at(self.authority.grpc, source))
            else:
                all_of_them.append(at(self.authority.http, source))
                all_of_them[-1].sendall(GET[:i % 20])
        return all_of_them

    def attack(self, until, seed):
        dice = random.Random(seed)
        attacks = attacks_on(self.authority)
        while time.monotonic() < until:
            dice.shuffle(attacks)
            for opens, ruins in attacks:
                if time.monotonic() >= until:
                    return
                with contextlib.suppress(OSError), contextlib.closing(opens(f"127.0.0.{6 + seed}")) as connection:
                    ruins(connection, dice)
                self.attacked[seed] += 1

    def test_the_others_are_served_meanwhile(self):
        before = self.descriptors()
        logged_before = len(self.authority.logged())
        begin = time.monotonic()
        self.attacked = [0] * 6
        with GoodClient(self.authority, self.admin) as good:
            crowd = self.crowd()
            self.assertGreater(self.descriptors(), CROWD)
            until = max(begin + SOONEST, time.monotonic() + 5)
            threads = [threading.Thread(target=self.attack, args=(until, seed)) for seed in range(len(self.attacked))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        took = time.monotonic() - begin
        peak = self.status("VmHWM") << 10
        log = self.authority.logged()[logged_before:]
        for connection in crowd:
            connection.close()
        print(f"{CROWD} idle, {sum(self.attacked)} attacks in {took:.1f} s: {good.answers} good answers, the slowest after "
              f"{({kind: round(seconds, 3) for kind, seconds in good.longest.items()})} s; {peak >> 20} MB, "
              f"{len(log.splitlines())} lines", flush=True)

        self.assertEqual(good.failures, [])
        self.assertGreater(good.answers, 20)
        self.assertLess(max(good.longest.values()), LONGEST_ANSWER, good.longest)
        self.assertLess(peak, MOST_MEMORY)
        self.assertGreater(sum(self.attacked), 200)
        self.check_log(log, took)
        self.eventually(lambda: self.descriptors() <= before + 4, f"descriptors did not come back: {before} before")
        self.assertIsNone(self.authority.process.poll())

    def check_log(self, log, took):
        for drop in ("handshake_failed", "handshake_timeout", "plain_http", "not_tls", "request_malformed", "reset"):
            self.assertIsNotNone(re.search(rf"connection dropped .*drop={drop} ", log), drop)
        # gRPC's own, in Troth's words.
        self.assertIsNotNone(re.search("a TLS handshake failed", log))
        lines = [line for line in log.splitlines() if " info request server=" not in line]
        # Whoever is answered makes a line; whoever is not, none each.
        self.assertLess(len(lines), MOST_LINES_PER_SECOND * (took + 1), "\n".join(lines[-50:]))
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", "not a line of Troth's log")
            self.assertLess(len(line), 1500, line)


class FewDescriptorsTest(Neighbourhood):
    under = ("prlimit", "--nofile=128:128")

    def setUp(self):
        tool("prlimit")
        super().setUp()

    def test_it_answers_again_when_descriptors_are_free(self):
        def ask():
            with GoodClient(self.authority, self.admin) as good:  # each kind once
                pass
            return good.failures

        self.assertEqual(ask(), [])
        for address in (self.authority.https, self.authority.grpc, self.authority.http):
            with self.subTest(address):
                crowd = []
                for i in range(300):
                    with contextlib.suppress(OSError):
                        crowd.append(at(address, f"127.0.0.{2 + i % 4}"))
                self.eventually(lambda: self.descriptors() > 100, "the crowd did not come in")
                # The descriptors of a listener's own crowd are given to others, or are free once it has gone.
                for connection in crowd:
                    connection.close()
                self.eventually(lambda: ask() == [], "it does not answer any more", timeout=30)
        self.assertIn("drop=no_descriptors", self.authority.logged())


if __name__ == "__main__":
    unittest.main()
