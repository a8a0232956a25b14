"""lua-api, with the children of the settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Loki = Callable[..., Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one to work in; without settings the defaults hold."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_people_get_the_functions_of_loki_and_of_every_child(loki: Loki) -> None:
    result = loki("lua-api")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert "  loki.sleep(ms)" in lines
    assert "  fenrir:gpio_read(pin) -> boolean" in lines
    assert "  hel:cache_set(key, value, [ttl_ms])" in lines


def test_editors_get_definitions(loki: Loki) -> None:
    result = loki("lua-api", "--luacats")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("---@meta\n")
    assert "function fenrir:gpio_read(pin) end" in result.stdout.splitlines()


def test_only_children_of_the_settings_are_there(folder: Path, loki: Loki) -> None:
    (folder / "loki.toml").write_text('children = ["hel_actor"]')
    printed = loki("lua-api").stdout
    assert "hel:fs_read(path)" in printed
    assert "fenrir" not in printed


def test_settings_that_cannot_be_read_are_told(folder: Path, loki: Loki) -> None:
    (folder / "loki.toml").write_text("children = 5")
    result = loki("lua-api")
    assert result.exit_code == 1
    assert "children" in result.stderr
    assert result.stdout == ""
