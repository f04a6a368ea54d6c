"""What the benchmarks' reports have in common: the machine, what else ran on it, tables, and where they are written."""

import contextlib
import os
import pathlib
import platform
import statistics
import subprocess
import sys


class Machine:
    """What else ran on the machine, as the average number of cores it kept busy."""

    def __init__(self):
        self.start = self.read()

    @staticmethod
    def read():
        ticks = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        busy, steal, total = sum(ticks[0:3]) + sum(ticks[5:7]), ticks[7], sum(ticks[0:8])
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return busy, steal, total, own * os.sysconf("SC_CLK_TCK")

    def others(self):
        """(cores that other programs used, cores' time that the hypervisor gave to others); call it when the servers have ended."""
        busy, steal, total, own = (b - a for a, b in zip(self.start, self.read()))
        cores = os.cpu_count()
        return max(0, busy - own) * cores / total, steal * cores / total


def meanwhile(machine):
    """A sentence on what else ran, for the report. Call it when the servers have ended."""
    others, stolen = machine.others()
    return (f"Meanwhile other programs used {others:.2f} cores and the hypervisor took {stolen:.2f}."
            + (" Too much: the figures are not to be relied on." if others + stolen > 0.1 else ""))


def output(*argv):
    """What a program prints; nothing when it cannot be run."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=True).stdout.strip()
    return ""


def describe_machine():
    """[cores, kernel]"""
    model = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().split("\n")
                  if line.startswith("model name")), platform.machine())
    return [f"{os.cpu_count()} cores ({model})", f"Linux {platform.release().split('-')[0]}"]


def openssl_version():
    return output("openssl", "version").rsplit(" (")[0]


def go_version():
    return " ".join(output("go", "version").split()[2:3])


def go_module_version(program, module):
    """The version of a module that a Go program was built with."""
    words = output("go", "version", "-m", program).split()
    return words[words.index(module) + 1] if module in words else ""


def spread(values, digits):
    """'median (least-greatest)'"""
    values = [v for v in values if v is not None]
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(head, rows):
    """Markdown that is readable as it is. Columns of names are set to the left, those of figures to the right."""
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    left = [title in ("server", "what", "case", "goal", "") for title in head]

    def line(cells):
        return "| " + " | ".join(str(c).ljust(w) if l else str(c).rjust(w)
                                 for c, w, l in zip(cells, widths, left)) + " |"

    rule = "|" + "|".join("-" * (w + 2) if l else "-" * (w + 1) + ":" for w, l in zip(widths, left)) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def command_line(program, without):
    """How to measure the same again: without the flags that only say where things are."""
    words, rest = [], iter(sys.argv[1:])
    for word in rest:
        if word in without:
            next(rest)
        else:
            words.append(word)
    return " ".join([program, *words])


def write_into(path, name, text):
    """Replaces what stands between the two marks of this name in a document."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, _, rest = path.read_text().partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise SystemExit(f"{path}: expected the lines {begin.strip()} and {end.strip()}")
    path.write_text(before + begin + "\n" + text + "\n" + end + after)


def progress(text):
    """Shows what is being done, where someone looks."""
    if sys.stderr.isatty():
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)


def wipe_progress():
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
