"""The settings of one server: what its file says, and what holds."""

from pathlib import Path

from loki.bootstrap import load
from loki.configuration import Configuration


def test_they_are_described_with_their_file(tmp_path: Path) -> None:
    path = tmp_path / "loki.toml"
    path.write_text('grpc_port = 7\nstate_dir = "state"')
    configuration = Configuration(load(path, None))
    found = configuration.describe(5)
    assert (found.version, found.file, found.problem) == (5, str(path), "")
    (port,) = (each for each in found.settings if each.key == "grpc_port")
    assert (port.value, port.origin) == ("7", f"{path}:1")
    assert configuration.keeper == "hel"
    assert '"grpc_port": 7' in configuration.record
