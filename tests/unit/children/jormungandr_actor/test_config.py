"""What people may write under [children_config.jormungandr], and what the client gets of it."""

import msgspec
import pytest
from jormungandr_actor.config import JormungandrConfig
from jormungandr_actor.http import Bounds
from pydantic import ValidationError


def test_the_defaults_reach_the_client():
    dumped = {**JormungandrConfig().model_dump(mode="json"), "state_dir": "/s"}
    bounds = msgspec.msgpack.decode(msgspec.msgpack.encode(dumped), type=Bounds)
    assert bounds == Bounds(timeout_s=10.0, max_response_mb=4, max_redirects=5, ca_file="")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"timeout_s": 301}, "timeout_s"),
        ({"max_response_mb": 0}, "max_response_mb"),
        ({"max_response_mb": 9}, "max_response_mb"),
        ({"max_redirects": -1}, "max_redirects"),
        ({"ca_file": "/no/such/file.pem"}, "there is no file /no/such/file.pem"),
        ({"proxy": "x"}, "proxy"),
    ],
)
def test_a_bad_setting_is_refused_with_its_name(settings, text):
    with pytest.raises(ValidationError, match=text):
        JormungandrConfig.model_validate(settings)
