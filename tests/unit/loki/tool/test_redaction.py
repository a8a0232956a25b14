"""What is hidden of settings, and what is not."""

import pytest

from loki.tool.problem import HIDDEN
from loki.tool.redaction import redacted


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"password": "p"}, {"password": HIDDEN}),
        ({"API_KEY": 7}, {"API_KEY": HIDDEN}),
        ({"secrets": ["a", "b"]}, {"secrets": HIDDEN}),
        ({"credentials": {"user": "u"}}, {"credentials": HIDDEN}),
        ({"a": {"b": [{"token": "t", "n": 1}]}}, {"a": {"b": [{"token": HIDDEN, "n": 1}]}}),
        ({"token": "", "secret": None}, {"token": "", "secret": None}),
        ({"use_token": True}, {"use_token": True}),
        ({"token": 0}, {"token": HIDDEN}),
        ({"token_file": "/etc/t", "token_env": "T"}, {"token_file": "/etc/t", "token_env": "T"}),
        ({"broker": "mqtt://u:p@host:1883/x"}, {"broker": f"mqtt://{HIDDEN}@host:1883/x"}),
        ({"broker": "mqtt://u:p@ss@host"}, {"broker": f"mqtt://{HIDDEN}@host"}),
        (
            {"urls": ["http://u@h/", "http://h/a@b"]},
            {"urls": [f"http://{HIDDEN}@h/", "http://h/a@b"]},
        ),
        ({"grpc_port": 50070, "x": 1.5}, {"grpc_port": 50070, "x": 1.5}),
        ({}, {}),
    ],
)
def test_secrets_are_hidden_and_nothing_else(given: object, shown: object) -> None:
    assert redacted(given) == shown


def test_what_is_given_stays_as_it_is() -> None:
    given = {"a": [{"password": "p"}]}
    redacted(given)
    assert given == {"a": [{"password": "p"}]}
