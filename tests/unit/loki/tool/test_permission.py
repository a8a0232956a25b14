import pytest

from loki.messages.lua_module import LuaModule, PermissionKey, PermissionShape
from loki.tool.permission import read_permissions

SHAPES = {
    "gpio": PermissionShape.LIST,
    "files": PermissionShape.MODE,
    "storage": PermissionShape.FLAG,
    "share": PermissionShape.NAME,
}
MODULE = LuaModule(
    name="hel",
    child="hel",
    doc="",
    functions=(),
    permissions=tuple(
        PermissionKey(name=name, shape=shape, doc="") for name, shape in SHAPES.items()
    ),
)


@pytest.mark.parametrize(
    ("key", "written", "normal"),
    [
        ("gpio", [17, "led"], ("17", "led")),
        ("gpio", ["*"], ("*",)),
        ("files", "r", ("r",)),
        ("files", "rw", ("rw",)),
        ("files", ["rw"], ("rw",)),
        ("storage", True, ("*",)),
        ("storage", ["*"], ("*",)),
        ("share", "green_house", ("green_house",)),
        ("share", ["a" * 64], ("a" * 64,)),
    ],
)
def test_s_2_3_1_permissions_get_their_normal_form(
    key: str, written: object, normal: tuple[str, ...]
) -> None:
    assert read_permissions({key: written}, (MODULE,)) == ({key: normal}, ())
    assert read_permissions({key: normal}, (MODULE,)) == ({key: normal}, ())


@pytest.mark.parametrize(("key", "written"), [("gpio", []), ("storage", False)])
def test_s_2_3_1_what_allows_nothing_is_left_out(key: str, written: object) -> None:
    assert read_permissions({key: written}, (MODULE,)) == ({}, ())


@pytest.mark.parametrize(
    ("key", "written", "text"),
    [
        ("gpio", "led", "list of names"),
        ("gpio", 17, "list of names"),
        ("gpio", True, "list of names"),
        ("gpio", [True], "list of names"),
        ("gpio", [1.5], "list of names"),
        ("gpio", [""], "list of names"),
        ("gpio", [["led"]], "list of names"),
        ("files", "w", '"r" or "rw"'),
        ("files", True, '"r" or "rw"'),
        ("files", ["r", "rw"], '"r" or "rw"'),
        ("storage", "true", "true or false"),
        ("storage", 1, "true or false"),
        ("storage", ["counter"], "true or false"),
        ("share", "", "must be a name"),
        ("share", "a" * 65, "must be a name"),
        ("share", "green-house", "must be a name"),
        ("share", "1a", "must be a name"),
        ("share", "a\n", "must be a name"),
        ("share", "../a", "must be a name"),
        ("share", True, "must be a name"),
        ("share", ["a", "b"], "must be a name"),
        ("gpoi", [17], "did you mean 'gpio'? (known: files, gpio, share, storage, tools)"),
    ],
)
def test_s_2_3_1_wrong_permissions_are_refused(key: str, written: object, text: str) -> None:
    allowed, (breach,) = read_permissions({key: written}, (MODULE,))
    assert allowed == {}
    assert breach.at == (key,)
    assert text in breach.text


def test_s_2_3_1_every_wrong_permission_is_listed() -> None:
    allowed, breaches = read_permissions({"gpio": 1, "storage": True, "x": 1}, (MODULE,))
    assert allowed == {"storage": ("*",)}
    assert [breach.at for breach in breaches] == [("gpio",), ("x",)]
