"""Messages name the table in which people would allow something."""

import pytest

from loki.core.run.manifest import limit_place, may_have_header, place_of


@pytest.mark.parametrize(
    ("declared_in", "place"),
    [
        ("", "[security.adhoc_permissions] of the settings"),
        ("my/tools.toml", "[tools.permissions] of 'blink' in my/tools.toml"),
        ("my/blink.lua", "[permissions] in the header of my/blink.lua"),
        ("its registration", "the permissions in its registration"),
    ],
)
def test_s_r_7_the_place_is_where_the_manifest_stands(declared_in: str, place: str) -> None:
    assert place_of("blink", declared_in) == place


@pytest.mark.parametrize(
    ("declared_in", "place"),
    [
        ("", "[limits] max_memory_mb in a `--- loki:` header at its top"),
        ("my/blink.lua", "[limits] max_memory_mb in a `--- loki:` header at its top"),
        ("my/tools.toml", "[tools.limits] max_memory_mb"),
        ("its registration", "max_memory_mb in the limits of its registration"),
    ],
)
def test_the_place_is_where_the_limit_stands(declared_in: str, place: str) -> None:
    assert limit_place(declared_in, "max_memory_mb") == place


@pytest.mark.parametrize(
    ("source", "may"),
    [
        ("--- loki:\nreturn", True),
        ("-- a comment\n---\tloki: x = 1", True),
        ("return 1 --- loki:", False),
        ("-- loki:", False),
        ("", False),
    ],
)
def test_a_header_is_looked_for_only_where_one_may_be(source: str, may: bool) -> None:
    assert may_have_header(source) is may
