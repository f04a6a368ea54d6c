#!/usr/bin/env python3
"""Measures the issuing of certificates by Troth, step-ca, cfssl and Caramel's original server, side by side.

A round measures each server once in each way, for a moment, in an order of its own. What a round says of two is compared, and the
medians of these ratios are given with the least and the greatest. The CPU time is that of the server's processes, between the two
ends of a window in which it was warm. The floor, one raw P-256 signature and one verification, is taken right before and right
after each window, for a virtual machine is not as fast at every moment.
"""

import argparse
import contextlib
import datetime
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from issue_servers import Caramel, Cfssl, StepCa, Troth, amount, peers  # noqa: E402
from report import (Machine, command_line, describe_machine, go_module_version, go_version, meanwhile,  # noqa: E402
                    openssl_version, output, progress, spread, table, wipe_progress, write_into)

FEW, MANY = 10_000, 5_000_000
KEY_TYPES = {"p256": "P-256", "rsa2048": "RSA 2048"}
WAYS = {"kept": "kept-alive connections", "new": "a new connection for each certificate"}
REQUESTS = {"p256": 50_000, "rsa2048": 10_000}
CARAMEL_REQUESTS = 4_000
FLOOR_SECONDS = 0.2
CARAMEL_LEAST = 4  # seconds of a window: it signs what has gathered twice a second


class Bench:
    """Where things are, and how load is put on a server."""

    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.program = arguments.build / "bench" / "issue_load"
        self.cache = ROOT / "build" / "bench"
        self.sent = {}  # (server, key type): requests, so that none is sent to a server twice before all were

    def run(self, *argv):
        done = subprocess.run([str(self.program), *map(str, argv)], capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise SystemExit(f"issue_load {' '.join(map(str, argv))}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout else None

    def requests(self, key_type, server):
        """The file with requests for a server, made when it is not there."""
        caramel = isinstance(server, Caramel)
        count = CARAMEL_REQUESTS if caramel else REQUESTS[key_type]
        file = self.cache / f"requests-{'caramel-' if caramel else ''}{key_type}-{count}.pem"
        if not file.exists():
            partial = file.with_suffix(".partial")
            self.run("requests", "--out", partial, "--count", count, "--key-type", key_type,
                     *(("--caramel-prefix", Caramel.PREFIX) if caramel else ()))
            partial.rename(file)
        return file

    def floor(self):
        return self.run("floor", "--time", FLOOR_SECONDS)["floor_us"]

    def measure(self, server, key_type, way, connections):
        window = self.arguments.window
        if isinstance(server, Caramel):
            window = max(window, CARAMEL_LEAST)
        first = self.sent.get((server.name, key_type), 0)
        with server if not server.always_up else contextlib.nullcontext():
            before = self.floor()
            measured = self.run(
                "load", "--server", server.protocol, "--requests", self.requests(key_type, server), "--port", server.port,
                "--server-pid", *server.processes(), "--connections", connections, "--first", first, "--window", window,
                *(("--plain",) if server.plain else ()), *(("--new-connections",) if way == "new" else ()), *server.load_flags())
            measured["floor_us"] = (before + self.floor()) / 2
            measured["peak_mb"] = server.peak_bytes() / 1e6
        # What was sent in the warm-up and behind the window too, about.
        self.sent[server.name, key_type] = first + 2 * measured["count"] + 200
        return measured


class Results:
    """samples[(server, key type, way, connections)] is a list with one measurement a round."""

    def __init__(self):
        self.samples, self.starts = {}, {}

    def add(self, server, key_type, way, connections, measured):
        self.samples.setdefault((server.name, key_type, way, connections), []).append(measured)

    def of(self, name, key_type, way, connections, what):
        return [m[what] for m in self.samples.get((name, key_type, way, connections), [])]

    def ratios(self, name, base, key_type, way, connections, what):
        return [a / b for a, b in zip(self.of(name, key_type, way, connections, what),
                                      self.of(base, key_type, way, connections, what))]

    def floor_ratios(self, name, key_type, way, connections):
        return [m["server_cpu_us"] / m["floor_us"] for m in self.samples.get((name, key_type, way, connections), [])]

    def floors(self):
        return [m["floor_us"] for measured in self.samples.values() for m in measured]

    def peaks(self, name):
        return [m["peak_mb"] for (server, *_), measured in self.samples.items() if server == name for m in measured]

    def table(self, key_type, way, servers, counts):
        rows = []
        for connections in counts:
            for name in servers:
                if (name, key_type, way, connections) not in self.samples:
                    continue

                def median(what):
                    return statistics.median(self.of(name, key_type, way, connections, what))

                rows.append([connections, name, f"{median('per_second'):,.0f}", f"{median('p50_us') / 1e3:.2f}",
                             f"{median('p99_us') / 1e3:.2f}",
                             spread(self.of(name, key_type, way, connections, "server_cpu_us"), 0),
                             spread(self.floor_ratios(name, key_type, way, connections), 2),
                             f"{max(self.of(name, key_type, way, connections, 'peak_mb')):.0f}"])
        return table(["connections", "server", "certificates/s", "p50 ms", "p99 ms", "server CPU us", "CPU x floor", "peak MB"],
                     rows)

    def goals(self, stored, connections):
        rows = []

        def row(what, goal, values, digits, met):
            if values:
                rows.append([what, goal, spread(values, digits), "met" if met(statistics.median(values)) else "missed"])

        names = {count: f"Troth, {amount(count)} stored" for count in stored}
        where = f"{connections} kept-alive connections"
        for count, most in ((FEW, 1.6), (MANY, 1.9)):
            if count in names:
                row(f"CPU of a durable certificate, {amount(count)} stored, P-256, {where}, x floor", f"at most {most}",
                    self.floor_ratios(names[count], "p256", "kept", connections), 2, lambda value, most=most: value <= most)
        if FEW in names:
            row("the same with 10 k, as a share of step-ca's", "at most 0.125",
                self.ratios(names[FEW], StepCa.name, "p256", "kept", connections, "server_cpu_us"), 3, lambda value: value <= 0.125)
            row(f"certificates/s, 10 k stored, RSA 2048, {where}, x Caramel's", "at least 1000",
                self.ratios(names[FEW], Caramel.name, "rsa2048", "kept", connections, "per_second"), 0, lambda value: value >= 1000)
        for count, name in names.items():
            peaks = self.peaks(name)
            row(f"most resident memory, {amount(count)} stored, MB", "under 60", [max(peaks)] if peaks else [], 0,
                lambda value: value < 60)
            row(f"from start to the first answer, {amount(count)} stored, ms", "at most 100",
                [1e3 * seconds for seconds in self.starts.get(name, [])], 0, lambda value: value <= 100)
        return table(["what", "goal", "measured", ""], rows)


def describe():
    facts = describe_machine() + [openssl_version()]
    for kind, module in ((StepCa, "github.com/smallstep/certificates"), (Cfssl, "github.com/cloudflare/cfssl")):
        if kind.program.exists():
            facts.append(f"{kind.program.name} {go_module_version(kind.program, module)}")
    if output("go", "version"):
        facts.append(go_version())
    return ", ".join(facts)


def report(results, arguments, machine, missing):
    # In the order of their names' first measurement, Troth first.
    servers = sorted({name for name, *_ in results.samples}, key=lambda name: (not name.startswith("Troth"), name))
    goal_connections = max(arguments.connections)
    lines = [
        f"Measured on {datetime.date.today().isoformat()} with `{command_line('bench/issue.py', ('--into', '--out'))}` "
        f"({arguments.rounds} rounds, windows of {arguments.window:g} s): {describe()}.",
        meanwhile(machine),
    ]
    if missing:
        lines.append(f"Left out, not installed: {', '.join(missing)}.")
    lines += ["", f"Floor (one raw P-256 signature, one verification): {spread(results.floors(), 1)} us. Medians (least-greatest).",
              "", "### Goals of issuing", "", results.goals(arguments.stored, goal_connections)]
    for key_type, key_title in KEY_TYPES.items():
        for way, way_title in WAYS.items():
            if any((k, w) == (key_type, way) for _, k, w, _ in results.samples):
                lines += ["", f"### {key_title}: {way_title}", "", results.table(key_type, way, servers, arguments.connections)]
    return "\n".join(lines) + "\n"


def parse_arguments():
    def counts(text):
        return [int(word) for word in text.split(",")] if text else []

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=lambda text: pathlib.Path(text).resolve(), default=ROOT / "build" / "release",
                        help="build folder")
    parser.add_argument("--quick", action="store_true", help="a glance: one round, short windows, many connections only")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--window", type=float, default=2, help="seconds of each measurement")
    parser.add_argument("--connections", type=counts, default=[1, 32], help="at the same time, each with one request, e.g. 1,32")
    parser.add_argument("--stored", type=counts, default=[FEW, MANY], help="certificates in Troth's store before")
    parser.add_argument("--key-types", type=lambda text: text.split(","), default=list(KEY_TYPES))
    parser.add_argument("--only", help="servers whose names hold this text")
    parser.add_argument("--starts", type=int, default=9, help="how often the time to the first answer is taken")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "bench" / "issue.md")
    parser.add_argument("--into", type=pathlib.Path, help="document whose marked part is replaced by the results")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.window, arguments.connections, arguments.starts = 1, 1, arguments.connections[-1:], 3
    return arguments


def main():
    arguments = parse_arguments()
    cache = ROOT / "build" / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    results, shuffle = Results(), random.Random(1)
    # Beside the cache, and not in a temporary folder that may be in memory: every certificate is synced to the disk.
    with tempfile.TemporaryDirectory(prefix="issue-", dir=cache) as name:
        folder = pathlib.Path(name)
        others, missing = peers(folder)
        ours = []
        for stored in arguments.stored:
            progress(f"a store of {amount(stored)} certificates")
            ours.append(Troth(arguments.build, cache, folder, stored))
        servers = [server for server in (*ours, *others) if not arguments.only or arguments.only in server.name]
        bench = Bench(arguments, folder)
        for server in servers:
            for key_type in server.key_types:
                progress(f"requests: {KEY_TYPES[key_type]}")
                bench.requests(key_type, server)
        machine = Machine()  # from here on: making the stores is not measured
        for server in servers:
            if isinstance(server, Troth):
                for _ in range(arguments.starts):
                    progress(f"start: {server.name}")
                    with server:
                        pass
                results.starts[server.name] = list(server.starts)
        with contextlib.ExitStack() as up:
            for server in servers:
                if server.always_up:
                    up.enter_context(server)
            work = [(server, key_type, way, connections) for server in servers for key_type in server.key_types
                    for way in WAYS for connections in arguments.connections
                    if key_type in arguments.key_types and (way == "kept" or not isinstance(server, Caramel))]
            count = 0
            for _ in range(arguments.rounds):
                shuffle.shuffle(work)
                for server, key_type, way, connections in work:
                    count += 1
                    progress(f"{count}/{arguments.rounds * len(work)} {server.name}, {KEY_TYPES[key_type]}, {way}, {connections}")
                    results.add(server, key_type, way, connections, bench.measure(server, key_type, way, connections))
    wipe_progress()
    text = report(results, arguments, machine, missing)
    print(text)
    arguments.out.write_text(text)
    if arguments.into:
        write_into(arguments.into, "issuance", text)
    arguments.out.with_suffix(".json").write_text(json.dumps(
        {"starts": results.starts,
         "measured": [{"server": s, "key_type": k, "way": w, "connections": c, "rounds": r}
                      for (s, k, w, c), r in results.samples.items()]}, indent=1))


if __name__ == "__main__":
    main()
