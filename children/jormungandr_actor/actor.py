"""Jörmungandr's role: lends its network to runs, and takes it back when they end."""

import asyncio
from collections.abc import Coroutine, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from jormungandr_actor.messages import HttpBody, HttpDelete, HttpGet, HttpPost, HttpPut
from loki.child import ChildRole, Run, RunHandler, Shell, run_over
from loki.errors import InvalidArgument
from loki.messages.envelope import Message
from loki.messages.value import Packed, pack, unpack

if TYPE_CHECKING:
    from jormungandr_actor.http import HttpClient


class Jormungandr(ChildRole):
    """Serves each call as a task of its own; a task ends with its run at the latest."""

    asynchronous = True

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._client: HttpClient | None = None
        self._tasks: dict[str, set[asyncio.Task[HttpBody]]] = {}

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {
            HttpGet: self._get,
            HttpPost: self._post,
            HttpPut: self._put,
            HttpDelete: self._delete,
        }

    def release(self, run: Run) -> None:
        self._cancel(run.id)

    async def drain(self, grace_s: float) -> None:  # noqa: ARG002  # Runs have ended before us.
        for run in list(self._tasks):
            self._cancel(run)
        if self._client is not None:
            await self._client.close()

    def _get(self, request: HttpGet, run: Run) -> Coroutine[None, None, HttpBody]:
        return self._serve(run, self._http(run, "GET", request.url))

    def _post(self, request: HttpPost, run: Run) -> Coroutine[None, None, HttpBody]:
        return self._serve(run, self._http(run, "POST", request.url, _content(request.body)))

    def _put(self, request: HttpPut, run: Run) -> Coroutine[None, None, HttpBody]:
        return self._serve(run, self._http(run, "PUT", request.url, _content(request.body)))

    def _delete(self, request: HttpDelete, run: Run) -> Coroutine[None, None, HttpBody]:
        return self._serve(run, self._http(run, "DELETE", request.url))

    def _serve(
        self, run: Run, work: Coroutine[None, None, HttpBody]
    ) -> Coroutine[None, None, HttpBody]:
        """Start at once, so that the end of the run finds the task whenever it comes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.setdefault(run.id, set()).add(task)
        task.add_done_callback(lambda done: self._forget(run.id, done))
        return _result(task)

    def _cancel(self, run: str) -> None:
        for task in self._tasks.pop(run, ()):
            task.cancel()

    def _forget(self, run: str, task: asyncio.Task[HttpBody]) -> None:
        tasks = self._tasks.get(run, set())
        tasks.discard(task)
        if not tasks:
            self._tasks.pop(run, None)

    async def _http(
        self, run: Run, method: str, url: str, body: str | bytes | None = None
    ) -> HttpBody:
        client = self._client or await self._connect()
        return HttpBody(body=_text_or_bytes(await client.request(run, method, url, body)))

    async def _connect(self) -> "HttpClient":
        """Import aiohttp on first use, beside the loop: it takes as long as heartbeats may wait."""
        http = await asyncio.to_thread(import_module, "jormungandr_actor.http")
        if self._client is None:
            bounds = msgspec.msgpack.decode(self.config, type=http.Bounds)
            self._client = http.HttpClient(bounds)
        return self._client


async def _result(task: asyncio.Task[HttpBody]) -> HttpBody:
    """The task's result. Raises: ServiceUnavailable when its run ended first."""
    try:
        return await task
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        raise run_over() from None


def _content(packed: Packed) -> str | bytes:
    body = unpack(packed)
    if isinstance(body, str | bytes):
        return body
    raise InvalidArgument("body must be a string", details={"field": "body"})


def _text_or_bytes(body: bytes) -> Packed:
    try:
        return pack(body.decode())
    except UnicodeDecodeError:
        return pack(body)
