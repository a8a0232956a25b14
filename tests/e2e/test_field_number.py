"""Field numbers on a whole Loki: so many as an old database has them, and no room for another."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from loki.client import LokiClient, LokiClientError
from loki.core.library.field_number import LAST
from loki.testing import LokiServer
from loki.v1 import script_pb2
from loki.v1_name import camel_case

pytestmark = pytest.mark.e2e

PATIENCE_S = 60.0
HAD = 70_000  # Numbers of one service: more than a message carries, and than are given now.
NAME = "much_renamed_".ljust(60, "x")
SERVICE = camel_case(NAME)
VALUE = bytes((3 << 3, 7))
"""Of the answer, an integer, which is 7."""


def definition(name: str, *parameters: str) -> script_pb2.ScriptDefinition:
    return script_pb2.ScriptDefinition(
        name=name,
        source=f"return params.{parameters[0]}",
        parameters=[
            script_pb2.ParameterDefinition(name=p, type=script_pb2.VALUE_TYPE_INTEGER)
            for p in parameters
        ],
        return_type=script_pb2.VALUE_TYPE_INTEGER,
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LokiServer]:
    """With two scripts of which one renamed its parameters under a Loki that knew no bound."""
    state: Path = tmp_path_factory.mktemp("loki") / "state"
    with LokiServer(state_dir=state) as before, before.client() as client:
        client.register_script(definition("plain", "n"))
        client.register_script(definition(NAME, "n"))
    with closing(sqlite3.connect(state / "hel.sqlite")) as tables, tables:
        tables.executemany(
            "INSERT INTO field_number (service, parameter, type, number) VALUES (?, ?, ?, ?)",
            ((SERVICE, f"p{n}_".ljust(64, "q"), "integer", n) for n in range(2, HAD)),
        )
    with LokiServer(state_dir=state) as running, running.client() as client:
        end_s = time.monotonic() + PATIENCE_S
        while not all(script.method for script in client.list_scripts()):
            assert time.monotonic() < end_s, "typed methods do not come"
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def typed(server: LokiServer, service: str, number: int) -> bytes:
    """Call it with the field of that number, which is below 16, set to 7."""
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(f"/loki.tools.v1.{service}Service/Call")
        answer: bytes = call(bytes((number << 3, 7)), timeout=PATIENCE_S)
        return answer


def test_a_database_with_more_numbers_than_a_message_carries_serves_them(
    server: LokiServer, client: LokiClient
) -> None:
    assert VALUE in typed(server, "Plain", 1)
    assert VALUE in typed(server, SERVICE, 1)
    assert {child.last_error for child in client.get_children_status()} == {""}


@pytest.mark.parametrize("validate_only", [True, False])
def test_a_parameter_too_many_is_refused_and_nothing_is_kept(
    server: LokiServer, client: LokiClient, validate_only: bool
) -> None:
    before = client.get_script(NAME)
    with pytest.raises(LokiClientError) as refused:
        client.register_script(
            definition(NAME, "n", "one_more"),
            expected_revision=before.revision,
            validate_only=validate_only,
        )
    assert refused.value.reason == "QUOTA"
    for word in (NAME, "'one_more' (integer)", str(LAST), "another name"):
        assert word in refused.value.message
    assert client.get_script(NAME) == before
    assert VALUE in typed(server, SERVICE, 1)


def test_what_the_script_had_is_free_and_others_go_on(
    server: LokiServer, client: LokiClient
) -> None:
    old = "p2_".ljust(64, "q")
    before = client.get_script(NAME)
    now = client.register_script(definition(NAME, old), expected_revision=before.revision)
    assert VALUE in typed(server, SERVICE, 2)
    client.register_script(before.definition, expected_revision=now.revision)
    assert VALUE in typed(server, SERVICE, 1)
    client.register_script(definition("fresh", "a"))
    assert VALUE in typed(server, "Fresh", 1)
