"""One HTTP request of a run, from its permission to its answer."""

import asyncio

import pytest
from jormungandr_actor.http import Bounds, HttpClient

from loki.child import Run
from loki.errors import (
    IoError,
)

HERE = ("http://127.0.0.1:*/",)


def run_with(*http):
    return Run(
        id="r1",
        script="fetch",
        principal="local",
        runner_pid=1,
        declared_in="tools.toml",
        permissions={"http": http},
    )


def bounds(**changes):
    return Bounds(
        **{"timeout_s": 5.0, "max_response_mb": 1, "max_redirects": 5, "ca_file": ""} | changes
    )


def leading_to(*addresses):
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return list(addresses)

    resolve.asked = asked
    return resolve


async def ask(method, url, body=None, *, http=HERE, resolve=None, **limits):
    client = HttpClient(bounds(**limits), *([resolve] if resolve else []))
    try:
        return await client.request(run_with(*http), method, url, body)
    finally:
        await client.close()


def go(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def fetch_error(url, **options):
    with pytest.raises(IoError) as error:
        go(ask("GET", url, **options))
    return error.value
