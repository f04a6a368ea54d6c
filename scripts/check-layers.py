#!/usr/bin/env python3
"""Checks that each folder includes only what ARCHITECTURE.md lets it include.

    scripts/check-layers.py [--root DIR] [FILE...]

Without files it reads every tracked or new C++ file. Prints one line per offence (file:line, what, why, what to do)
and exits with 1 when there is any. When a folder is added, LAYERS below is the one table to extend.
"""

import argparse
import pathlib
import re
import subprocess
import sys

# Folder of troth/ -> folders of troth/ that its files may include, directly. A folder may always include itself.
# `server` stands for all its front ends.
LAYERS = {
    "base": (),
    "pki": ("base",),
    "identity": ("base", "pki"),
    "authz": ("base", "pki", "identity"),
    "api": (),
    "rpc": ("base", "pki", "identity", "authz", "api"),
    "http": ("base", "pki", "identity", "authz"),
    "nginx": ("base", "pki", "identity", "authz", "http"),
    "ca": ("base", "pki"),
    "store": ("base", "pki", "ca"),
    "server": ("base", "pki", "identity", "authz", "api", "rpc", "http", "ca", "store"),
    "enroll": ("base", "pki", "identity", "authz", "http"),
    "doctor": ("base", "pki", "identity", "http"),
    "agent": ("base", "pki", "identity", "authz", "api", "rpc", "http", "enroll"),
    "cli": "everything",
}

# Outside libraries that only some places may include: pattern, name, where, why.
RESTRICTED = (
    (
        re.compile(r"openssl/"),
        "OpenSSL",
        ("troth/pki/", "troth/http/", "troth/doctor/", "tests/", "bench/", "fuzz/"),
        "OpenSSL is hidden behind troth/pki so that it can be replaced",
        "use or add a function in troth/pki",
    ),
    (
        re.compile(r"(grpc|grpcpp|grpc\+\+)/|.*\.grpc\.pb\.h$"),
        "gRPC",
        (
            "troth/api/",
            "troth/rpc/",
            "troth/agent/",
            "troth/server/native/",
            "tests/",
            "examples/",
            "bench/",
        ),
        "a folder without gRPC can be used and tested without it",
        "move the code to troth/rpc, or pass what it needs as a value",
    ),
)

# Outside headers that no public header (any but *_internal.h) may include: pattern, name, why, what to do.
NOT_IN_HEADERS = (
    (
        re.compile(r"toml\+\+/"),
        "toml++",
        "users of the library would need it, and pay for it in every file",
        "include it in the .cc file only",
    ),
    (
        re.compile(r"CLI/"),
        "CLI11",
        "it belongs to the program, not to an interface",
        "include it in the .cc file only",
    ),
    (
        re.compile(r"absl/strings/string_view\.h$"),
        "absl::string_view",
        "Debian's absl::string_view is not std::string_view",
        "use std::string_view, and convert in the .cc file (troth/base/strings.h)",
    ),
)

SUFFIXES = (".h", ".cc")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')


def own_folder(path):
    """The folder of troth/ that the file belongs to, or None."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "troth" else None


def check_include(path, included):
    """Yields (what, why, what to do) for each rule that this include breaks."""
    folder = own_folder(path)
    if folder is not None:
        if folder not in LAYERS:
            yield (
                f"is in troth/{folder}, which has no layer",
                "every folder has a place in the order",
                "add it to LAYERS in scripts/check-layers.py and to ARCHITECTURE.md",
            )
            return
        # What is generated from proto/troth/v1 is the folder api, under the name of its package.
        target = "api" if included.startswith("troth/v1/") else own_folder(included)
        allowed = LAYERS[folder]
        if target is not None and target != folder and allowed != "everything":
            if target not in allowed:
                may = ", ".join(allowed) or "no other folder"
                yield (
                    f"troth/{folder} includes {included}",
                    f"troth/{folder} may include {may}",
                    f"move the code to a folder above troth/{target}, or what it needs to one below",
                )
        # The command line may offer what an example shows (`troth ping`).
        outside = ("tests/", "bench/", "fuzz/") + (() if folder == "cli" else ("examples/",))
        if included.startswith(outside):
            yield (
                f"troth/{folder} includes {included}",
                "the library depends on nothing outside troth/",
                "move what it needs into troth/",
            )

    for pattern, name, places, why, fix in RESTRICTED:
        if pattern.match(included) and not path.startswith(places):
            yield (f"{name} header {included}", f"{why} (allowed in {', '.join(places)})", fix)

    if path.endswith(".h") and not path.endswith("_internal.h") and folder is not None:
        for pattern, name, why, fix in NOT_IN_HEADERS:
            if pattern.match(included):
                yield (f"{name} header {included} in a header", why, fix)


def check_file(root, path):
    text = (root / path).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        match = INCLUDE.match(line)
        if match:
            for what, why, fix in check_include(path, match.group(1) or match.group(2)):
                yield f"{path}:{number}: {what}: {why}; {fix}"


def source_files(root):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\0")
    # A file that is deleted but not yet committed is still listed.
    return sorted(p for p in set(listed) if p.endswith(SUFFIXES) and (root / p).is_file())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("files", nargs="*", help="paths relative to the root")
    args = parser.parse_args()

    files = args.files or source_files(args.root)
    offences = [o for path in files for o in check_file(args.root, path)]
    for offence in offences:
        print(offence)
    if offences:
        print(f"{len(offences)} includes that the layers do not allow", file=sys.stderr)
        return 1
    print(f"layers: {len(files)} files, all includes allowed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
