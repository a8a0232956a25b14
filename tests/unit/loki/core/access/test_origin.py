"""Which pages may call, and by which names."""

import pytest

from loki.core.access.origin import is_origin, names_this_device, refusal

PAGE = "https://app.example"


@pytest.mark.parametrize(
    ("origin", "host", "anonymous", "words"),
    [
        (None, "127.0.0.1:50071", True, ""),
        (None, "localhost", True, ""),
        (None, "device.lan:50071", False, ""),
        (PAGE, "localhost:50071", True, ""),
        (PAGE, "device.lan", False, ""),
        (None, "device.lan:50071", True, "'device.lan:50071' may be anybody's name"),
        (None, "", True, "may be anybody's name"),
        (PAGE, "evil.example", True, "may be anybody's name"),
        ("https://evil.example", "localhost", True, "pages of 'https://evil.example' may not"),
        ("https://evil.example", "localhost", False, "allowed_origins"),
        ("null", "localhost", True, "pages of 'null' may not"),
        ("http://localhost:50071", "localhost:50071", True, "may not"),
        ("", "localhost", True, "may not"),
        ("https://app.example.evil", "localhost", True, "may not"),
    ],
)
def test_strangers_pages_and_names_are_refused(
    origin: str | None, host: str, anonymous: bool, words: str
) -> None:
    told = refusal(origin, host, (PAGE,), anonymous=anonymous)
    assert words in told
    assert bool(told) is bool(words)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("127.0.0.1", True),
        ("127.9.9.9:80", True),
        ("[::1]", True),
        ("[::1]:50071", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.0.7:1", False),
        ("0.0.0.0", False),
        ("[::]:1", False),
        ("localhost:1:2", False),
        ("evil@localhost", False),
        ("", False),
    ],
)
def test_only_names_that_nobody_else_can_give_are_this_devices(host: str, here: bool) -> None:
    assert names_this_device(host) is here


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("https://app.example", True),
        ("http://localhost:5173", True),
        ("http://[::1]:80", True),
        ("*", False),
        ("null", False),
        ("https://app.example/", False),
        ("https://App.example", False),
        ("app.example", False),
        ("file://x", False),
    ],
)
def test_an_origin_is_as_browsers_write_it(text: str, good: bool) -> None:
    assert is_origin(text) is good
