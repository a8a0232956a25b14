"""[http] in the settings."""

from pathlib import Path

import pytest

from loki.config import Settings
from loki.errors import ConfigurationError
from loki.http_setting import HttpSettings
from loki.messages.gateway import HttpConfig

FILE = Path("loki.toml")


def test_no_port_serves_no_http() -> None:
    assert Settings().http.config() is None


def test_a_port_and_the_pages_that_may_call() -> None:
    text = '[http]\nport = 0\nallowed_origins = ["https://app.example"]'
    config = Settings.from_toml(text, FILE).http.config()
    assert config == HttpConfig(port=0, allowed_origins=("https://app.example",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = 70000", "http.port"),
        ('port = "x"', "http.port"),
        ('allowed_origins = ["*"]', "http.allowed_origins"),
        ('allowed_origins = ["https://a.example/"]', "as browsers write it"),
        ("prt = 1", "did you mean 'port'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        Settings.from_toml(f"[http]\n{text}", FILE)
    assert "loki.toml:2" in raised.value.message


@pytest.mark.parametrize("http", [HttpSettings(), HttpSettings(port=0), HttpSettings(port=1)])
def test_settings_survive_their_file(http: HttpSettings) -> None:
    settings = Settings(http=http)
    assert Settings.from_toml(settings.to_toml()) == settings
    assert Settings.from_json(settings.to_json()) == settings
