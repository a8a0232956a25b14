"""What the client for asyncio has of the other one, as its documentation says."""

import inspect
from typing import Any

import pytest

from loki.client import AsyncLokiClient, AsyncSeriesClient, LokiClient, SeriesClient

ALONE = {"create_backup", "follow_events", "follow_logs", "get_schema", "restore_backup"}
RESUMES = {
    "watch_events": {"after_sequence", "log_id"},
    "read": {"patience_s", "report"},
}
"""Parameters for going on after a restart."""


def methods(client: type[Any]) -> dict[str, set[str]]:
    """Parameters by name."""
    return {
        name: set(inspect.signature(method).parameters)
        for name, method in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize(
    ("client", "other", "alone"),
    [(LokiClient, AsyncLokiClient, ALONE), (SeriesClient, AsyncSeriesClient, set())],
)
def test_both_have_the_same_but_for_what_the_text_says(
    client: type[Any], other: type[Any], alone: set[str]
) -> None:
    there, asynchronous = methods(client), methods(other)
    assert there.keys() - asynchronous.keys() == alone
    for name in there.keys() & asynchronous.keys():
        assert asynchronous[name] == there[name] - RESUMES.get(name, set())
