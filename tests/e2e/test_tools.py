"""Scripts as Python functions, from threads and from asyncio, while they change."""

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest

from loki.client import (
    AsyncLokiClient,
    AsyncToolStream,
    LogQuery,
    LokiClient,
    LokiClientError,
    Output,
    Result,
    Value,
)
from loki.testing import LokiServer
from loki.v1 import script_pb2

pytestmark = pytest.mark.e2e

TOOLS = """
[[tools]]
name = "scale"
description = "Multiplies — Jörmungandr"
parameters = [
  { name = "by", type = "number" },
  { name = "values", type = "array", required = false },
]
return_type = "array"
script = { inline = '''
local scaled = {}
for i, value in ipairs(params.values or {}) do
  scaled[i] = value * params.by
  print(value)
  loki.emit(scaled[i])
end
return loki.array(scaled)
''' }

[[tools]]
name = "waits"
parameters = []
return_type = "void"
script = { inline = "print('waiting') loki.sleep(60000)" }
limits = { max_execution_time_ms = 90000 }
"""
SERVERS_OWN = (
    "aiohttp cryptography grpc_health gmqtt lupa msgspec numpy plotext pydantic rich thespian "
    "tomli tomlkit tree_sitter typer watchdog zarr"
)
STRANGER = """
import sys
for name in sys.argv[2].split():
    sys.modules[name] = None  # An import of it fails.
import asyncio
from loki.client import AsyncLokiClient, LokiClient

async def call():
    async with AsyncLokiClient(sys.argv[1]) as client:
        return await client.tools.scale(by=2, values=[1])

with LokiClient(sys.argv[1]) as client:
    print(client.tools.scale(by=3, values=[1, 2]), asyncio.run(call()))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as server:
        yield server


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with LokiClient(server.address) as client:
        yield client
        for script in client.list_scripts():
            if script.name not in ("scale", "waits"):
                client.unregister_script(script.name)


def definition(source: str, *parameters: str) -> script_pb2.ScriptDefinition:
    kind = script_pb2.VALUE_TYPE_INTEGER
    return script_pb2.ScriptDefinition(
        name="changing",
        source=source,
        return_type=kind,
        parameters=[script_pb2.ParameterDefinition(name=name, type=kind) for name in parameters],
    )


def test_s_3_3_2_a_script_is_a_function(client: LokiClient) -> None:
    scale = client.tools.scale
    assert scale(by=0.5, values=[2, 4]) == [1.0, 2.0]
    assert scale(by=1) == []
    assert list(client.tools) == ["scale", "waits"]
    assert "Multiplies — Jörmungandr" in (scale.__doc__ or "")
    assert not hasattr(client.tools, "scales")


def test_its_events_come_while_it_runs_and_end_with_its_result(client: LokiClient) -> None:
    with client.tools.scale.stream(by=2, values=[1]) as events:
        kinds = [type(event) for event in events]
    assert kinds.count(Value) == kinds.count(Output) == 1
    assert kinds[-1] is Result


def test_leaving_a_stream_ends_the_run(client: LokiClient) -> None:
    with client.tools.waits.stream() as events:
        assert isinstance(next(events), Output)
    (record, *_) = client.list_executions("waits")
    while record.state == "running":
        record = client.get_execution(record.id)
    assert record.cause == "cancelled"


def test_a_time_bounds_a_call(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as raised:
        client.tools.waits.within(0.2)()
    assert raised.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_script_that_changes_is_called_by_its_new_schema(client: LokiClient) -> None:
    first = client.register_script(definition("return params.a", "a"))
    changing = client.tools.changing
    assert changing(a=1) == 1
    new = definition("return params.b * 10", "b")
    second = client.register_script(new, expected_revision=first.revision)
    assert changing(b=2) == 20
    renewed = definition("return 3")
    client.register_script(renewed, expected_revision=second.revision)
    with pytest.raises(TypeError, match="no parameter 'b'"):
        changing(b=2)
    assert changing() == 3
    client.unregister_script("changing")
    with pytest.raises(LokiClientError) as raised:
        changing()
    assert raised.value.code is grpc.StatusCode.UNIMPLEMENTED


def changed(client: LokiClient, definition: script_pb2.ScriptDefinition) -> None:
    revision = client.get_script(definition.name).revision
    client.register_script(definition, expected_revision=revision)


def test_a_change_of_types_alone_is_seen_by_who_called_before(client: LokiClient) -> None:
    text = definition("return #params.a", "a")
    text.parameters[0].type = script_pb2.VALUE_TYPE_STRING
    client.register_script(definition("return params.a", "a"))
    called, streamed = client.tools.changing, client.tools.changing
    assert called(a=1) == 1
    changed(client, text)
    assert called(a="four") == 4
    with streamed.stream(a="abc") as events:
        assert [event.execution.value for event in events if isinstance(event, Result)] == [3]
    with pytest.raises(TypeError, match="a must be str, not int"):
        called(a=1)
    text.return_type = script_pb2.VALUE_TYPE_STRING
    text.source = "return params.a"
    changed(client, text)
    with called.stream(a="abc") as events:
        assert [event.execution.value for event in events if isinstance(event, Result)] == ["abc"]


def test_the_asynchronous_client_sees_it_too(server: LokiServer, client: LokiClient) -> None:
    text = definition("return #params.a", "a")
    text.parameters[0].type = script_pb2.VALUE_TYPE_STRING
    client.register_script(definition("return params.a", "a"))

    async def ends(events: AsyncToolStream) -> list[object]:
        return [event.execution.value async for event in events if isinstance(event, Result)]

    async def main() -> None:
        async with AsyncLokiClient(server.address) as other:
            called, streamed = other.tools.changing, AsyncLokiClient(server.address)
            assert await called(a=1) == 1
            assert await streamed.tools.changing(a=1) == 1
            changed(client, text)
            assert await called(a="four") == 4
            assert await ends(streamed.tools.changing.stream(a="abc")) == [3]
            with pytest.raises(TypeError, match="a must be str, not int"):
                await called(a=1)
            text.return_type = script_pb2.VALUE_TYPE_STRING
            text.source = "return params.a"
            changed(client, text)
            assert await ends(called.stream(a="abc")) == ["abc"]
            await streamed.close()

    asyncio.run(main())


ODD = ("self", "stream", "within", "class", "from", "_x", "others", "name", "arguments")


def test_a_parameter_may_have_any_name(server: LokiServer, client: LokiClient) -> None:
    total = " + ".join(f'params["{name}"]' for name in ODD)
    client.register_script(definition(f"return {total}", *ODD))
    given = {name: 10**place for place, name in enumerate(ODD)}
    odd = client.tools["changing"]
    assert odd(**given) == 111_111_111
    with odd.stream(**given) as events:
        assert [event.execution.value for event in events if isinstance(event, Result)] == [
            111_111_111
        ]
    assert "self" in inspect.signature(odd).parameters

    async def main() -> None:
        async with AsyncLokiClient(server.address) as client:
            odd = client.tools["changing"]
            assert await odd(**given) == 111_111_111
            events = odd.stream(**given)
            values = [event.execution.value async for event in events if isinstance(event, Result)]
            assert values == [111_111_111]

    asyncio.run(main())


def test_scripts_are_named_as_their_authors_named_them(
    server: LokiServer, client: LokiClient
) -> None:
    names = ["ReadTemp2", "_Temp", "readHTTP"]
    kind = script_pb2.VALUE_TYPE_STRING
    for name in names:
        source = f"return '{name}'"
        client.register_script(
            script_pb2.ScriptDefinition(name=name, source=source, return_type=kind)
        )
    assert list(client.tools) == [*names, "scale", "waits"]
    assert set(names) <= set(dir(client.tools))
    assert [client.tools[name]() for name in names] == names
    assert client.tools.read_temp2() == "ReadTemp2"

    async def main() -> None:
        async with AsyncLokiClient(server.address) as client:
            assert [name async for name in client.tools] == [*names, "scale", "waits"]
            assert [await client.tools[name]() for name in names] == names

    asyncio.run(main())


def test_many_calls_wait_side_by_side_in_asyncio(server: LokiServer) -> None:
    async def main() -> None:
        async with AsyncLokiClient(server.address) as client:
            scale = client.tools.scale
            calls = (scale(by=n, values=[2]) for n in range(20))
            assert await asyncio.gather(*calls) == [[2.0 * n] for n in range(20)]
            assert repr(scale) == "<script scale>"
            assert "Multiplies" in ((await scale.described()).__doc__ or "")
            assert repr(scale).startswith("<script scale(*, by: float | None = None, ")
            assert [name async for name in client.tools] == ["scale", "waits"]
            async with client.tools.scale.stream(by=2, values=[1]) as events:
                assert [type(event) async for event in events][-1] is Result
            with pytest.raises(LokiClientError, match="no script 'nothing'"):
                await client.tools.nothing()

    asyncio.run(main())


def test_the_asynchronous_client_does_what_the_other_does(server: LokiServer) -> None:
    async def main() -> None:
        async with AsyncLokiClient(server.address) as client:
            watch = client.watch_events(["script"], include_recent=True)
            script = await client.register_script(definition("return 1"))
            async for event in watch:
                if getattr(event, "revision", "") == script.revision:
                    break
            watch.cancel()
            assert (await client.get_script("changing")).revision == script.revision
            names = [each.name async for each in client.list_scripts()]
            assert names == ["changing", "scale", "waits"]
            done = await client.execute("changing")
            assert done.value == 1
            assert (await client.get_execution(done.id)).state == "finished"
            async with client.stream("waits") as events:
                running = await events.execution_id()
                await client.cancel(running)
                with pytest.raises(LokiClientError) as raised:
                    async for _ in events:
                        pass
            assert raised.value.reason == "CANCELLED"
            found = [each.id async for each in client.list_executions("waits")]
            assert running in found
            assert {child.name for child in await client.get_children_status()} >= {"hel"}
            assert len((await client.get_capabilities()).scripts) == 3
            new = await client.register_script(
                definition("return 2"), expected_revision=script.revision
            )
            await client.rollback_script(
                "changing", script.revision, expected_revision=new.revision
            )
            revisions = [each.revision async for each in client.list_script_revisions("changing")]
            assert set(revisions) >= {script.revision, new.revision}
            assert (await client.execute("changing")).value == 1
            await client.unregister_script("changing")
            with pytest.raises(LokiClientError, match="no_child"):
                await client.reset_child("no_child")
            with pytest.raises(ValueError, match="level 'loud'"):
                client.watch_logs(LogQuery(level="loud"))
            async with client.watch_logs(LogQuery(follow=True)) as records:
                logs = definition("loki.log('warning', 'it is here') return 1")
                await client.register_script(logs)
                done = await client.execute("changing")
                async for record in records:
                    if "it is here" in record.message:
                        break
            assert (record.level, record.execution_id) == ("warning", done.id)
            await client.unregister_script("changing")

    asyncio.run(main())


def test_the_client_needs_no_package_of_the_server(server: LokiServer) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, server.address, SERVERS_OWN],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "[3.0, 6.0] [2.0]\n", done.stderr
