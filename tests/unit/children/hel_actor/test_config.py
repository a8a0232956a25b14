"""Hel's settings: defaults, bounds, and that its role reads all of them."""

import msgspec
import pytest
from hel_actor.actor import Settings
from hel_actor.config import HelConfig
from pydantic import ValidationError

LEAST = {"series_chunk_rows": 16, "quota_mb": 0}


def test_the_role_knows_every_setting() -> None:
    names = {field.name for field in msgspec.structs.fields(Settings)}
    assert names == {*HelConfig.model_fields, "state_dir"}


@pytest.mark.parametrize("name", list(HelConfig.model_fields))
def test_settings_have_bounds(name: str) -> None:
    least = LEAST.get(name, 1)
    for value in (least - 1, 10**9, "many", None):
        with pytest.raises(ValidationError, match=name):
            HelConfig.model_validate({name: value})
    assert getattr(HelConfig.model_validate({name: least}), name) == least
