"""What may not be changed from outside."""

from typing import Any

import pytest

from loki.core.settings import guard
from loki.core.settings.guard import require_admin, require_open, require_told, require_version
from loki.errors import ErrorCode, InvalidArgument, LokiError, ServiceUnavailable
from loki.tool import problem


def test_a_hidden_secret_has_one_word() -> None:
    assert guard.HIDDEN == problem.HIDDEN


@pytest.mark.parametrize(
    "at", [("children",), ("state_dir",), ("tools",), ("script_storage_path",)]
)
def test_some_keys_are_the_devices_own(at: tuple[str, ...]) -> None:
    with pytest.raises(LokiError, match="on the device only") as raised:
        require_open(at, "")
    assert raised.value.code is ErrorCode.CONFIGURATION


def test_what_wins_over_the_file_is_named() -> None:
    require_open(("children_config", "hel"), "")
    with pytest.raises(LokiError, match=r"queue\.runners: LOKI_QUEUE sets it"):
        require_open(("queue", "runners"), "LOKI_QUEUE")


@pytest.mark.parametrize(
    "value",
    ["(hidden)", "http://(hidden)@host/", ["a", "(hidden)"], {"a": {"b": "(hidden)"}}],
)
def test_what_was_shown_of_a_secret_is_no_value(value: object) -> None:
    with pytest.raises(InvalidArgument, match=r"in place of a secret"):
        require_told(("a", "b"), value)


@pytest.mark.parametrize("value", ["hidden", "", 5, True, [], {}, {"(hidden)": "x"}])
def test_other_values_are(value: object) -> None:
    require_told(("a",), value)


def security(**keys: Any) -> dict[str, Any]:
    return {"security": {"anonymous_loopback": True, "principals": {}} | keys}


OPS = {"ops": {"roles": ["read", "admin"]}}


@pytest.mark.parametrize(
    ("principal", "settings", "stays"),
    [
        ("local", security(), True),
        ("local", security(anonymous_loopback=False, principals=OPS), False),
        ("ops", security(principals=OPS), True),
        ("ops", security(anonymous_loopback=False, principals=OPS), True),
        ("ops", security(), False),
        ("ops", security(principals={"ops": {"roles": ["read"]}}), False),
        ("ops", security(principals={"other": {"roles": ["admin"]}}), False),
    ],
)
def test_nobody_takes_its_own_right(principal: str, settings: dict[str, Any], stays: bool) -> None:
    if stays:
        require_admin(principal, settings)
        return
    with pytest.raises(LokiError, match=f"take the role 'admin' from '{principal}'"):
        require_admin(principal, settings)


def test_a_version_is_the_expected_one_or_not() -> None:
    require_version(3, 3)
    with pytest.raises(LokiError) as raised:
        require_version(3, 4)
    assert raised.value.code is ErrorCode.REVISION_CONFLICT
    assert raised.value.details == {"version": "4"}
    with pytest.raises(ServiceUnavailable):
        require_version(3, 0)
