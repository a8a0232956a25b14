"""Messages name the table in which people would allow something."""

import pytest

from loki.core.manifest import place_of


@pytest.mark.parametrize(
    ("declared_in", "place"),
    [
        ("", "[security.adhoc_permissions] of the settings"),
        ("my/tools.toml", "[tools.permissions] of 'blink' in my/tools.toml"),
        ("my/blink.lua", "[permissions] in the header of my/blink.lua"),
        ("its registration", "[tools.permissions] of 'blink' in its registration"),
    ],
)
def test_s_r_7_the_place_is_where_the_manifest_stands(declared_in: str, place: str) -> None:
    assert place_of("blink", declared_in) == place
