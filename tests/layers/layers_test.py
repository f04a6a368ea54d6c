"""Tests of scripts/check-layers.py: each rule refuses what it must and allows what it should."""

import importlib.util
import pathlib
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("check_layers", ROOT / "scripts" / "check-layers.py")
check_layers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_layers)


class LayersTest(unittest.TestCase):
    def test_an_include_that_the_layers_allow_passes(self):
        for path, included in [
            ("troth/base/file.cc", "troth/base/file.h"),
            ("troth/base/file.cc", "absl/status/status.h"),
            ("troth/pki/key.cc", "openssl/evp.h"),
            ("troth/pki/key.cc", "troth/base/file.h"),
            ("troth/authz/policy.cc", "toml++/toml.h"),
            ("troth/rpc/credentials.cc", "grpcpp/grpcpp.h"),
            ("troth/cli/main.cc", "CLI/CLI.hpp"),
            ("troth/cli/serve.cc", "troth/rpc/credentials.h"),
            ("troth/cli/ping.cc", "examples/sping/pinger.h"),
            ("troth/base/strings.cc", "absl/strings/string_view.h"),
            ("troth/server/native/service.cc", "grpcpp/grpcpp.h"),
            ("troth/server/native/messages.h", "troth/v1/authority.pb.h"),
            ("examples/bridge/operator.cc", "examples/bridge/bridge.grpc.pb.h"),
            ("tests/e2e/modes_test.cc", "openssl/ssl.h"),
        ]:
            with self.subTest(path=path, included=included):
                self.assertEqual(list(check_layers.check_include(path, included)), [])

    def test_an_include_against_the_layers_is_refused(self):
        for path, included in [
            ("troth/enroll/enroller.cc", "troth/v1/authority.pb.h"),
            ("troth/base/file.cc", "troth/pki/key.h"),
            ("troth/pki/key.cc", "troth/identity/identity.h"),
            ("troth/identity/source.cc", "troth/authz/guard.h"),
            ("troth/authz/guard.cc", "troth/rpc/credentials.h"),
            ("troth/rpc/credentials.cc", "troth/cli/command.h"),
            ("troth/base/file.cc", "openssl/evp.h"),
            ("troth/identity/source_test.cc", "openssl/x509.h"),
            ("troth/authz/guard.cc", "grpcpp/grpcpp.h"),
            ("troth/authz/guard.cc", "grpc/grpc.h"),
            ("troth/cli/ping.cc", "grpcpp/channel.h"),
            ("troth/cli/ping.cc", "echo/echo.grpc.pb.h"),
            ("troth/authz/policy.h", "toml++/toml.h"),
            ("troth/cli/command.h", "CLI/CLI.hpp"),
            ("troth/base/strings.h", "absl/strings/string_view.h"),
            ("troth/rpc/credentials.cc", "examples/bridge/operator.h"),
            ("troth/pki/key.cc", "tests/support/files.h"),
            ("troth/nowhere/new.cc", "troth/base/file.h"),
        ]:
            with self.subTest(path=path, included=included):
                self.assertEqual(len(list(check_layers.check_include(path, included))), 1)

    def test_an_offence_names_file_line_reason_and_remedy(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "troth/base").mkdir(parents=True)
            (root / "troth/base/file.cc").write_text(
                '#include "troth/base/file.h"\n// #include "troth/rpc/x.h"\n'
                '#  include "troth/pki/key.h"\n')
            offences = list(check_layers.check_file(root, "troth/base/file.cc"))
        self.assertEqual(len(offences), 1)
        self.assertRegex(offences[0], r"^troth/base/file\.cc:3: troth/base includes troth/pki/key\.h: .+; .+")

    def test_the_order_of_the_layers_has_no_cycle(self):
        layers = {k: v for k, v in check_layers.LAYERS.items() if v != "everything"}
        placed = set()
        while len(placed) < len(layers):
            ready = {k for k, v in layers.items() if k not in placed and set(v) <= placed}
            self.assertTrue(ready, f"cycle among {sorted(set(layers) - placed)}")
            placed |= ready

    def test_every_folder_of_the_library_has_a_layer(self):
        folders = {p.name for p in (ROOT / "troth").iterdir() if p.is_dir()}
        self.assertEqual(folders - set(check_layers.LAYERS), set())

    def test_architecture_describes_the_folders_that_exist_and_what_they_may_include(self):
        rows = {}
        text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
        table = text.split("## The folders of troth/")[1].split("\n\n")[1]
        for line in table.splitlines()[2:]:
            folder, _, may_include, _ = (cell.strip() for cell in line.strip("|").split("|"))
            names = tuple(name.strip("`") for name in may_include.split(", ") if name != "–")
            rows[folder.strip("`")] = "everything" if names == ("everything",) else names
        folders = {p.name for p in (ROOT / "troth").iterdir() if p.is_dir()}
        self.assertEqual(set(rows), folders)
        for folder, names in rows.items():
            with self.subTest(folder=folder):
                # A folder that is planned only need not be named yet.
                allowed = check_layers.LAYERS[folder]
                expected = allowed if allowed == "everything" else tuple(
                    name for name in allowed if name in folders)
                self.assertEqual(names, expected)


if __name__ == "__main__":
    unittest.main()
