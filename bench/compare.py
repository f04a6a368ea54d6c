#!/usr/bin/env python3
"""Measures calls and handshakes on secure-ping servers with gRPC's credentials, with Troth's, and in Go, side by side.

Every server runs all the time, in a process of its own. A round measures each of them once, for a moment, in an order of its own; what
a round says of two servers is compared, and the medians of these ratios are given with the least and the greatest, so
that noise is seen. The CPU time is the server process's, between the two ends of a window in which it was warm.
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
from report import (Machine, command_line, describe_machine, go_module_version, go_version, meanwhile,  # noqa: E402
                    openssl_version, output, progress, spread, table, wipe_progress, write_into)
from troth_testing import Server  # noqa: E402


class Variant:
    """A server, and whose credentials the client has that calls it."""

    def __init__(self, name, mode, argv, client="grpc", policy=None):
        self.name, self.mode, self.argv, self.client, self.policy = name, mode, argv, client, policy


POLICY = """\
[roles]
caller = {{ certificate = "{folder}/client/client.pem" }}

[[rules]]
methods = ["/echo.SecurePing/Echo"]
allow = ["{role}"]
"""

MODES = {"insecure": "Insecure", "tls": "Server TLS", "mutual": "Mutual TLS"}
PLAIN = "gRPC"
GUARDED = "Troth, policy"
MANY_RULES = "Troth, policy of 10,000 rules"
BOTH = "Troth at both ends, policy"
PONG = "troth pong, policy"
GO = "gRPC-Go"
NAMES = (PLAIN, GUARDED, MANY_RULES, BOTH, PONG, GO)


def write_policies(folder):
    """policy for each mode, and one of 10,000 rules that ends in the same decision."""
    for mode, role in (("tls", "anyone"), ("mutual", "caller")):
        (folder / f"{mode}.toml").write_text(POLICY.format(folder=folder / "certs", role=role))
    many = "".join(f'\n[[rules]]\nmethods = ["/load.Service{i}/Method"]\nallow = ["caller"]\n' for i in range(9_999))
    (folder / "many.toml").write_text(POLICY.format(folder=folder / "certs", role="caller") + many)


def variants(binaries, folder, go_sping):
    certs = folder / "certs"

    def ours(library, mode, policy=None):
        argv = [binaries / "bench" / "load_server", "--library", library, "--mode", mode, "--certificates", certs]
        return argv + (["--policy", folder / f"{policy}.toml"] if policy else [])

    files = ["certificate", certs / "server/server.pem", "private-key", certs / "server/server.key",
             "trust-bundle", certs / "ca/ca.pem"]

    def flags(dashes):
        return [dashes + value if i % 2 == 0 else value for i, value in enumerate(files)]

    for mode in MODES:
        yield Variant(PLAIN, mode, ours("grpc", mode))
        if mode != "insecure":
            yield Variant(GUARDED, mode, ours("troth", mode, mode))
        if mode == "mutual":
            yield Variant(MANY_RULES, mode, ours("troth", mode, "many"))
            yield Variant(BOTH, mode, ours("troth", mode, mode), client="troth")
            yield Variant(PONG, mode, [binaries / "troth", "pong", "--listen", "127.0.0.1:0", "--mode", mode,
                                       "--policy", folder / f"{mode}.toml", *flags("--")])
        if go_sping:
            yield Variant(GO, mode, [go_sping, "serve", "-listen", "127.0.0.1:0", "-mode", mode, *flags("-")])


def describe(go_sping):
    facts = describe_machine() + ["gRPC " + output("pkg-config", "--modversion", "grpc++"), openssl_version()]
    if go_sping:
        facts.append(f"gRPC-Go {go_module_version(go_sping, 'google.golang.org/grpc')}, {go_version()}")
    return ", ".join(facts)


def measure(binaries, folder, variant, server, kind, at_once, window):
    done = subprocess.run(
        [str(a) for a in (binaries / "bench" / "load", kind, "--library", variant.client, "--mode", variant.mode,
                          "--certificates", folder / "certs", "--target", f"127.0.0.1:{server.port}",
                          "--server-pid", server.process.pid, "--at-once", at_once, "--window", window)],
        capture_output=True, text=True, timeout=60 + 10 * window)
    if done.returncode != 0:
        raise SystemExit(f"{MODES[variant.mode]}, {variant.name}, {kind}: {done.stderr}{server.errors()}")
    return json.loads(done.stdout)


class Results:
    """samples[(mode, name, kind, at_once)] is a list with one measurement a round."""

    def __init__(self):
        self.samples = {}

    def add(self, variant, kind, at_once, measured):
        self.samples.setdefault((variant.mode, variant.name, kind, at_once), []).append(measured)

    def of(self, mode, name, kind, at_once, what):
        return [m[what] for m in self.samples.get((mode, name, kind, at_once), [])]

    def ratios(self, mode, name, base, kind, at_once, what):
        return [a / b for a, b in zip(self.of(mode, name, kind, at_once, what),
                                      self.of(mode, base, kind, at_once, what))]

    def differences(self, mode, name, base, kind, at_once, what):
        return [a - b for a, b in zip(self.of(mode, name, kind, at_once, what),
                                      self.of(mode, base, kind, at_once, what))]

    def table(self, mode, kind, counts):
        thing = "calls" if kind == "calls" else "handshakes"
        rows = []
        for at_once in counts:
            for name in NAMES:
                if (mode, name, kind, at_once) not in self.samples:
                    continue

                def median(what):
                    return statistics.median(self.of(mode, name, kind, at_once, what))

                def ratio(base, what):
                    return "1" if name == base else spread(self.ratios(mode, name, base, kind, at_once, what), 2)

                rows.append([at_once, name, f"{median('p50_us'):.0f}", f"{median('p99_us'):.0f}",
                             f"{median('per_second'):,.0f}",
                             spread(self.of(mode, name, kind, at_once, "server_cpu_us"), 1),
                             ratio(PLAIN, "server_cpu_us"), ratio(GO, "server_cpu_us"), ratio(PLAIN, "per_second")])
        return table(["at once", "server", "p50 us", "p99 us", f"{thing}/s", "server CPU us", "CPU x gRPC",
                      "CPU x gRPC-Go", f"{thing}/s x gRPC"], rows)

    def goals(self, decisions):
        rows = []

        def row(what, goal, text, measured, limit):
            rows.append([what, goal, text, "met" if measured <= limit else "missed"])

        for name, nanoseconds, allocations in decisions:
            if name == GOAL_DECISION:
                row("a decision with 10,000 rules, ns", "under 150", f"{nanoseconds:.0f}", nanoseconds, 150)
                row("allocations in it", "0", f"{allocations:g}", allocations, 0)
        for at_once in (1, 32, 64):
            cost = self.differences("mutual", GUARDED, PLAIN, "calls", at_once, "server_cpu_us")
            if cost:
                row(f"CPU of identity and guard over plain gRPC's mutual TLS, us a call, {at_once} in flight",
                    "at most 3", spread(cost, 1), statistics.median(cost), 3)
        for at_once, goal in ((1, 0.7), (32, 0.9)):
            ratio = self.ratios("mutual", PONG, GO, "calls", at_once, "server_cpu_us")
            if ratio:
                row(f"CPU of troth pong with mutual TLS and policy, x gRPC-Go, {at_once} in flight",
                    f"at most {goal}", spread(ratio, 2), statistics.median(ratio), goal)
        return table(["what", "goal", "measured", ""], rows)


GOAL_DECISION = "RegisteredMethod/rules:10000"


def read_decisions(path):
    """[(name, ns, allocations)] from the JSON of bench/guard_bench: medians, where it was repeated."""
    if not path:
        return []
    runs = json.loads(path.read_text())["benchmarks"]
    medians = [r for r in runs if r.get("aggregate_name") == "median"] or runs
    return [(r.get("run_name", r["name"]).split("/iterations")[0], r["cpu_time"], r.get("allocations"))
            for r in medians]


def report(results, arguments, machine, description):
    decisions = read_decisions(arguments.decisions)
    lines = [
        f"Measured on {datetime.date.today().isoformat()} with `{command_line('bench/compare.py', ('--decisions', '--into', '--out'))}` ({arguments.rounds} rounds, windows "
        f"of {arguments.window:g} s): {description}.",
        meanwhile(machine),
        "",
        "Medians (least-greatest).",
        "", "### Goals", "", results.goals(decisions),
    ]
    if decisions:
        rows = [[name, f"{ns:.0f}", "" if allocations is None else f"{allocations:g}"]
                for name, ns, allocations in decisions]
        lines += ["", "### Decisions of the guard", "", table(["case", "ns", "allocations"], rows)]
    for kind, counts, title in (("calls", arguments.in_flight, "calls on one channel"),
                                ("handshakes", arguments.side_by_side, "a new connection, one call, close")):
        for mode, mode_title in MODES.items():
            if any((m, k) == (mode, kind) for m, _, k, _ in results.samples):
                lines += ["", f"### {mode_title}: {title}", "", results.table(mode, kind, counts)]
    return "\n".join(lines) + "\n"


def parse_arguments():
    def counts(text):
        return [int(word) for word in text.split(",")] if text else []

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help="build folder")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--window", type=float, default=0.7, help="seconds of each measurement")
    parser.add_argument("--in-flight", type=counts, default=[1, 32, 64], help="calls in flight, e.g. 1,64")
    parser.add_argument("--side-by-side", type=counts, default=[1, 4], help="handshakes side by side")
    parser.add_argument("--modes", type=lambda text: text.split(","), default=list(MODES))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "bench" / "results.md")
    parser.add_argument("--decisions", type=pathlib.Path, help="JSON that bench/guard_bench wrote")
    parser.add_argument("--into", type=pathlib.Path, help="document whose marked part is replaced by the results")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    binaries = arguments.build.resolve()
    go_sping = ROOT / "build" / "tools" / "bin" / "go-sping"
    go_sping = go_sping if go_sping.exists() else None
    results = Results()
    machine = Machine()
    shuffle = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="troth-bench-") as name:
        folder = pathlib.Path(name)
        subprocess.run([binaries / "troth", "certs", "generate", "--out", folder / "certs", "--key-type", "p256"],
                       check=True, stdout=subprocess.DEVNULL)
        write_policies(folder)
        work = [("calls", n) for n in arguments.in_flight] + [("handshakes", n) for n in arguments.side_by_side]
        with contextlib.ExitStack() as stack:
            servers = [(v, stack.enter_context(Server(*v.argv, env={"GRPC_VERBOSITY": "ERROR"})))
                       for v in variants(binaries, folder, go_sping) if v.mode in arguments.modes]
            total = arguments.rounds * sum(1 for kind, _ in work for v, _ in servers
                                           if kind == "calls" or v.mode != "insecure")
            count = 0
            in_turn = list(servers)
            for _ in range(arguments.rounds):
                # Who comes after whom matters a little: to caches, clocks and closed connections.
                shuffle.shuffle(in_turn)
                for kind, at_once in work:
                    for variant, server in in_turn:
                        if kind == "handshakes" and variant.mode == "insecure":
                            continue
                        count += 1
                        progress(f"{count}/{total} {kind} {at_once}: {MODES[variant.mode]}, {variant.name}")
                        results.add(variant, kind, at_once,
                                    measure(binaries, folder, variant, server, kind, at_once, arguments.window))
    wipe_progress()
    text = report(results, arguments, machine, describe(go_sping))
    print(text)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text)
    if arguments.into:
        write_into(arguments.into, "measured", text)
    arguments.out.with_suffix(".json").write_text(json.dumps(
        [{"mode": m, "server": n, "kind": k, "at_once": a, "rounds": r} for (m, n, k, a), r in results.samples.items()],
        indent=1))


if __name__ == "__main__":
    main()
