"""The generator tells fresh stubs from stale ones, and needs no stubs to start from."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[3] / "proto" / "generate.py"


@pytest.fixture
def generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its target in a folder of this test."""
    spec = importlib.util.spec_from_file_location("generate", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "COMMITTED", tmp_path / "loki" / "v1")
    return module


def run(generator: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["generate.py", *arguments])
    code: int = generator.main()
    return code


def test_s_1_1_5_stale_stubs_are_named_and_one_command_makes_them_fresh(
    generator: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(generator, monkeypatch) == 0
    assert run(generator, monkeypatch, "--check") == 0
    folder: Path = generator.COMMITTED
    (folder / "script_pb2.py").write_text("changed")
    (folder / "value_pb2.pyi").unlink()
    (folder / "removed_pb2.py").write_text("")
    (folder / "image.binpb").write_bytes(b"")
    assert run(generator, monkeypatch, "--check") == 1
    told = capfd.readouterr().err
    for name in "script_pb2.py", "value_pb2.pyi", "removed_pb2.py", "image.binpb":
        assert name in told
    assert run(generator, monkeypatch) == 0
    assert run(generator, monkeypatch, "--check") == 0


def test_the_committed_stubs_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("generate", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert run(module, monkeypatch, "--check") == 0
