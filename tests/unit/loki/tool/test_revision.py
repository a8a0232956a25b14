import msgspec
import pytest

from loki.messages.script import Limits, Origin, Parameter, Script, ValueType
from loki.messages.value import pack
from loki.tool.revision import revision_of

PARAMETER = Parameter(name="n", type=ValueType.INTEGER, minimum=1)
SCRIPT = Script(
    name="a",
    source="return 1",
    chunk="a.lua",
    parameters=(PARAMETER,),
    permissions={"gpio": ("17",), "files": ("r",)},
)


def test_a_revision_is_16_hexadecimal_digits() -> None:
    assert len(revision_of(SCRIPT)) == 16
    assert int(revision_of(SCRIPT), 16) >= 0


@pytest.mark.parametrize(
    "change",
    [
        {"name": "b"},
        {"source": "return 2"},
        {"chunk": "b.lua"},
        {"parameters": ()},
        {"parameters": (msgspec.structs.replace(PARAMETER, minimum=2),)},
        {"parameters": (msgspec.structs.replace(PARAMETER, required=False, default=pack(3)),)},
        {"return_type": ValueType.VOID},
        {"limits": Limits(max_memory_mb=11)},
        {"permissions": {"gpio": ("17",)}},
    ],
)
def test_what_a_run_can_notice_changes_the_revision(change: dict[str, object]) -> None:
    assert revision_of(msgspec.structs.replace(SCRIPT, **change)) != revision_of(SCRIPT)


@pytest.mark.parametrize(
    "change",
    [
        {"description": "other"},
        {"parameters": (msgspec.structs.replace(PARAMETER, description="other"),)},
        {"origin": Origin.REGISTERED},
        {"declared_in": "/elsewhere/tools.toml"},
        {"revision": "0" * 16},
        {"permissions": {"files": ("r",), "gpio": ("17",)}},
    ],
)
def test_what_no_run_can_notice_keeps_the_revision(change: dict[str, object]) -> None:
    assert revision_of(msgspec.structs.replace(SCRIPT, **change)) == revision_of(SCRIPT)
