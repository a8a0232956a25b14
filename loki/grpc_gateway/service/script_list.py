"""Scripts as lists tell of them: as many as an answer may hold, and no call waits for them."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import msgspec

from loki.actors.door.role import Shell
from loki.grpc_gateway.call.guard import Call
from loki.grpc_gateway.convert.field import LONGEST_PAGE
from loki.grpc_gateway.convert.script import capability
from loki.grpc_gateway.typed.directory import LIBRARY, Directory
from loki.messages.library import CountScripts, ListScripts
from loki.messages.script import Script
from loki.v1.script_pb2 import ScriptCapability

ANSWER_TIMEOUT_S = 10.0
MOST_BYTES = 2 * 1024 * 1024
"""Of the scripts in one answer: clients of gRPC take 4 MiB. One script alone has less."""
AT_ONCE_BYTES = 32 * 1024
"""Then others are answered first: ten thousand scripts take a fifth of a second."""


class ScriptList:
    """What the Library has, in the messages of `loki.v1`."""

    def __init__(self, shell: Shell, directory: Directory) -> None:
        self._shell = shell
        self._directory = directory

    async def page(self, request: ListScripts, call: Call) -> tuple[list[ScriptCapability], str]:
        """One page, and where the next one begins: it has a script, if there are any."""
        timeout_s = call.timeout_s(ANSWER_TIMEOUT_S)
        listed = await self._shell.ask(LIBRARY, request, timeout_s=timeout_s)
        told: list[ScriptCapability] = []
        left = MOST_BYTES
        async for each, size_bytes in self._told(listed.scripts, call):
            left -= size_bytes
            if told and left < 0:
                return told, told[-1].name
            told.append(each)
        return told, listed.next_page

    async def first(self, call: Call, *, wanted: bool) -> tuple[list[ScriptCapability], int]:
        """Those that fit into one answer, by name, and how many there are in all.

        None where they are not `wanted`.
        """
        told: list[ScriptCapability] = []
        if not wanted:
            return told, await self._count(call)
        left = MOST_BYTES
        request = ListScripts(page_size=LONGEST_PAGE, among=call.principal.scripts)
        while True:
            page, following = await self.page(request, call)
            for each in page:
                left -= each.ByteSize()
                if left < 0:
                    return told, await self._count(call)
                told.append(each)
            if not following:
                return told, len(told)
            request = msgspec.structs.replace(request, page=following)

    async def _count(self, call: Call) -> int:
        request = CountScripts(among=call.principal.scripts)
        timeout_s = call.timeout_s(ANSWER_TIMEOUT_S)
        counted = await self._shell.ask(LIBRARY, request, timeout_s=timeout_s)
        return counted.count

    async def _told(
        self, scripts: Iterable[Script], call: Call
    ) -> AsyncIterator[tuple[ScriptCapability, int]]:
        """Each with its size, and the method that reflection shows to this caller now."""
        now, at_once = self._directory.snapshot, 0
        for script in scripts:
            told = capability(script, now.method_of(script.name, call.principal))
            size_bytes = told.ByteSize()
            at_once += size_bytes
            if at_once > AT_ONCE_BYTES:
                at_once = 0
                await asyncio.sleep(0)
            yield told, size_bytes
