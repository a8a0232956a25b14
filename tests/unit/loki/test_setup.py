"""What follows from the settings for each actor."""

from pathlib import Path
from typing import Any

import pytest

from loki.core.settings.change import leaves
from loki.errors import ConfigurationError
from loki.messages.script import Limits
from loki.setup import Setup, complete, load


def made(folder: Path, text: str) -> Setup:
    path = folder / "loki.toml"
    path.write_text(text)
    return load(path, None)


def test_limits_are_those_of_the_library_and_of_the_dispatcher(tmp_path: Path) -> None:
    setup = made(tmp_path, "[resource_limits]\nmax_memory_mb = 7\nceiling = {max_memory_mb = 9}")
    assert setup.library.default_limits == setup.dispatcher.default_limits
    assert setup.library.default_limits.max_memory_mb == 7
    assert setup.dispatcher.ceiling == setup.library.ceiling != Limits()
    assert setup.dispatcher.ceiling.max_memory_mb == 9


def test_a_child_that_is_none_is_told_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'nope' is no child") as raised:
        made(tmp_path, 'children = ["nope"]')
    assert raised.value.message.startswith(f"{tmp_path / 'loki.toml'}: children:")


def test_one_child_at_most_keeps_data(tmp_path: Path) -> None:
    off = made(tmp_path, "[children_config.hel]\nenabled = false")
    assert (off.library.keeper, off.gateway.keeper) == ("", "")
    assert off.dispatcher.disabled == ("hel",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('tools = "\\u0000"', "is no path"),
        ('state_dir = "\\u0000"', "is no path"),
        ('grpc_host = "unix:\\u0000"', "is no path"),
        ('tools = "~nobody-at-all/x"', "is no path"),
        ('[security.principals.x]\ntoken_file = "\\u0000"', "is no path"),
        ('children = [""]', "'' is no child"),
        ('children = [".."]', "'..' is no child"),
        (f"[{'a.' * 500}b]", "nested more than 100 deep"),
        (f"{'a.' * 500}b = 1", "nested more than 100 deep"),
    ],
)
def test_strange_settings_are_refused_in_words(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        made(tmp_path, text)


def test_what_children_have_that_nothing_sets_is_there_too(tmp_path: Path) -> None:
    loaded = made(tmp_path, "[children_config.hel]\nquota_mb = 7\nenabled = false").loaded
    children: Any = complete(loaded)["children_config"]
    assert children["hel"]["quota_mb"] == 7
    assert children["hel"]["enabled"] is False
    assert children["fenrir"]["enabled"] is True
    assert children["jormungandr"].keys() > {"enabled", "timeout_s"}
    assert None not in [value for _, value in leaves(children)]
    assert {"queue", "security"} < complete(loaded).keys()
