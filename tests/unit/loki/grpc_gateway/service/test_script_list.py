"""Lists of scripts over a real channel, whose client takes 4 MiB, however long they are."""

from types import SimpleNamespace
from typing import Any

import pytest

from loki.core.library.catalogue import Catalogue
from loki.errors import ServiceUnavailable
from loki.grpc_gateway.service import script_list
from loki.grpc_gateway.service.script_list import MOST_BYTES
from loki.messages.engine import DescribeEngines
from loki.messages.envelope import Message
from loki.messages.library import CountScripts, ListScripts, ScriptsCounted, ScriptsListed
from loki.messages.lifecycle import ChildrenListed, DescribeChildren
from loki.messages.module import DescribeModules
from loki.messages.script import Origin, Parameter, Script, ValueType
from loki.messages.value import pack
from loki.v1 import service_pb2, service_pb2_grpc

Stub = service_pb2_grpc.LokiServiceStub


def script(name: str, parameters: int = 0, **each: Any) -> Script:
    made = (Parameter(name=f"p{n}", type=ValueType.STRING, **each) for n in range(parameters))
    return Script(
        name=name, source="return 1", chunk=name, parameters=tuple(made), origin=Origin.REGISTERED
    )


def serve(shell: Any, *scripts: Script) -> None:
    """What a Library with these answers, and nobody else."""
    catalogue = Catalogue(scripts)

    def listed(asked: ListScripts) -> ScriptsListed:
        page, more = catalogue.page(
            asked.pattern, asked.language, asked.page_size, asked.page, asked.among
        )
        return ScriptsListed(scripts=page, next_page=more)

    def away(_asked: Message) -> Message:
        raise ServiceUnavailable("it is not there")

    shell.answers |= {
        ListScripts: listed,
        CountScripts: lambda asked: ScriptsCounted(count=catalogue.count(asked.among)),
        DescribeChildren: lambda _: ChildrenListed(children=()),
        DescribeEngines: away,
        DescribeModules: away,
    }


def names(scripts: Any) -> list[str]:
    return [each.name for each in scripts]


def paged(stub: Any, size: int) -> list[list[str]]:
    pages, request = [], service_pb2.ListScriptsRequest(page_size=size)
    while True:
        answer = stub.ListScripts(request)
        assert answer.ByteSize() < 2 * MOST_BYTES
        pages.append(names(answer.scripts))
        if not answer.next_page_token:
            return pages
        request.page_token = answer.next_page_token


LONG = [script(f"s{n:02}", 64, description="x" * 4000) for n in range(18)]
HEAVY = [script(f"h{n:02}", 1, required=False, default=pack([-1] * 10_000)) for n in range(40)]
"""Each ten times as long for gRPC as between actors."""


@pytest.mark.parametrize("scripts", [LONG, HEAVY], ids=["long", "heavy"])
def test_capabilities_have_what_fits_and_say_that_there_is_more(
    shell: Any, stub: Stub, scripts: list[Script]
) -> None:
    serve(shell, *scripts)
    answer = stub.GetCapabilities(service_pb2.GetCapabilitiesRequest())
    assert MOST_BYTES * 0.9 < answer.ByteSize() < MOST_BYTES * 1.1
    assert 0 < len(answer.scripts) < len(scripts)
    assert names(answer.scripts) == [s.name for s in scripts][: len(answer.scripts)]
    assert (answer.scripts_truncated, answer.script_count) == (True, len(scripts))
    assert [name for page in paged(stub, 1000) for name in page] == names(scripts)


def test_capabilities_of_few_have_them_all(shell: Any, stub: Stub) -> None:
    serve(shell, script("a"), script("b"))
    answer = stub.GetCapabilities(service_pb2.GetCapabilitiesRequest())
    assert names(answer.scripts) == ["a", "b"]
    assert (answer.scripts_truncated, answer.script_count) == (False, 2)


def test_capabilities_without_scripts_count_them(shell: Any, stub: Stub) -> None:
    serve(shell, *LONG)
    answer = stub.GetCapabilities(service_pb2.GetCapabilitiesRequest(without_scripts=True))
    assert (names(answer.scripts), answer.script_count) == ([], 18)
    assert answer.scripts_truncated
    assert shell.sent(ListScripts) == []


def test_small_pages_follow_each_other_inside_those_of_the_library(shell: Any, stub: Stub) -> None:
    serve(shell, *LONG)
    assert paged(stub, 5) == [names(LONG[n : n + 5]) for n in range(0, 18, 5)]


def test_a_script_that_is_longer_than_a_page_is_one(
    shell: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_list, "MOST_BYTES", 100)
    serve(shell, *LONG[:3])
    assert paged(stub, 1000) == [["s00"], ["s01"], ["s02"]]


def test_others_are_answered_while_many_scripts_are_told_of(
    shell: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same loop: between two of some size."""
    told: list[str] = []
    make = script_list.capability

    async def others(_delay_s: float) -> None:
        told.append("others")

    def capability(script: Script, method: str) -> Any:
        told.append(script.name)
        return make(script, method)

    serve(shell, *(script(name, 1, description="x" * 2000) for name in "abcde"))
    monkeypatch.setattr(script_list, "AT_ONCE_BYTES", 4000)
    monkeypatch.setattr(script_list, "asyncio", SimpleNamespace(sleep=others))
    monkeypatch.setattr(script_list, "capability", capability)
    stub.ListScripts(service_pb2.ListScriptsRequest())
    assert told == ["a", "b", "others", "c", "d", "others", "e"]
