"""HTTP requests and answers, good and bad, against servers of this test."""

import asyncio
import gzip
import socket

import pytest
from jormungandr_actor.http import HttpClient

from loki.errors import (
    IoError,
    ResourceLimitExceeded,
)
from tests.unit.children.jormungandr_actor.asking import (
    HERE,
    ask,
    bounds,
    fetch_error,
    go,
    leading_to,
    run_with,
)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("body", [None, "grün", b"\x00\xff"])
def test_s_7_2_1_a_request_reaches_the_server_and_its_body_comes_back(serve, answer, method, body):
    async def scenario():
        async with serve(answer(body=b"hello")) as peer:
            assert await ask(method, f"{peer.url}a?b=c", body) == b"hello"
            (received,) = peer.requests
            assert received.line == f"{method} /a?b=c HTTP/1.1"
            assert received.header("Host") == f"127.0.0.1:{peer.port}"
            assert received.body == (body.encode() if isinstance(body, str) else body or b"")

    go(scenario())


def test_a_name_is_looked_up_once_and_sent_as_host(serve, answer):
    async def scenario():
        resolve = leading_to("127.0.0.1")
        async with serve(answer(body=b"x")) as peer:
            url = f"http://localhost:{peer.port}/"
            assert await ask("GET", url, http=("http://localhost:*/",), resolve=resolve) == b"x"
            assert peer.requests[0].header("Host") == f"localhost:{peer.port}"
        assert resolve.asked == ["localhost"]

    go(scenario())


def test_gzip_is_unpacked(serve, answer):
    async def scenario():
        packed = gzip.compress(b"hello" * 1000)
        async with serve(answer(body=packed, Content_Encoding="gzip")) as peer:
            assert await ask("GET", peer.url) == b"hello" * 1000
            assert peer.requests[0].header("Accept-Encoding") == "gzip"

    go(scenario())


def test_connections_are_pooled_and_cookies_are_not_kept(serve, answer):
    async def scenario():
        async with serve(answer(body=b"x", Set_Cookie="who=r1")) as peer:
            client = HttpClient(bounds())
            for _ in range(3):
                await client.request(run_with(*HERE), "GET", peer.url)
            await client.close()
            assert peer.accepted == 1
            assert [received.header("Cookie") for received in peer.requests] == [None] * 3

    go(scenario())


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "500 Oops", "503 Busy"])
def test_s_7_2_1_a_bad_status_is_an_error_with_the_status(serve, answer, status):
    async def scenario():
        async with serve(answer(status, b"no")) as peer:
            with pytest.raises(IoError, match=status) as error:
                await ask("GET", peer.url)
            assert error.value.details["status"] == status[:3]
            assert "127.0.0.1" in error.value.details["host"]

    go(scenario())


def test_a_refused_connection_names_the_host():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # Bound but not listening: nobody else gets the port.
        port = free.getsockname()[1]
        error = fetch_error(f"http://127.0.0.1:{port}/")
    assert error.details == {"host": f"http://127.0.0.1:{port}", "reason": "connect"}
    assert "refused" in error.message


def test_a_name_without_an_address_is_named():
    async def resolve(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    error = fetch_error("http://nowhere.example/", http=("*",), resolve=resolve)
    assert error.details == {"host": "http://nowhere.example", "reason": "name"}
    assert "Name or service not known" in error.message


def test_the_looked_up_addresses_are_tried_in_turn_and_no_others(serve, answer, connections):
    async def scenario():
        async with serve(answer(body=b"x")) as peer:
            url = f"http://localhost:{peer.port}/"
            resolve = leading_to("127.0.0.2", "127.0.0.1")
            http = ("http://localhost:*/",)
            assert await ask("POST", url, "b", http=http, resolve=resolve) == b"x"
            assert len(peer.requests) == 1
            assert connections == [("127.0.0.2", peer.port), ("127.0.0.1", peer.port)]

    go(scenario())


async def silence(received, writer):
    await asyncio.Event().wait()


async def drip(received, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def endless_headers(received, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("script", [silence, drip, endless_headers])
def test_s_7_2_1_a_slow_server_is_left_after_the_time_out(serve, script):
    async def scenario():
        async with serve(script) as peer:
            for timeout_s in (0.2, 2.0, 20.0):  # On a busy machine it may not come that far.
                said = rf"did not answer within {timeout_s} s|properly"
                with pytest.raises(IoError, match=said) as error:
                    await ask("GET", peer.url, timeout_s=timeout_s)
                if peer.requests:
                    break
            assert error.value.details["host"] == peer.url[:-1]
            await peer.closed.wait()

    go(scenario())


def test_a_slow_name_service_counts_against_the_time_out():
    async def resolve(host, port):
        await asyncio.Event().wait()

    error = fetch_error("http://a.example/", http=("*",), resolve=resolve, timeout_s=0.05)
    assert error.details == {"host": "http://a.example", "reason": "timeout"}


async def huge(received, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await writer.drain()


def test_s_7_2_1_a_huge_answer_is_cut_off(serve):
    async def scenario():
        async with serve(huge) as peer:
            with pytest.raises(ResourceLimitExceeded, match="max_response_mb"):
                await ask("GET", peer.url)
            await peer.closed.wait()

    go(scenario())


def test_a_gzip_bomb_is_cut_off(serve, answer):
    async def scenario():
        bomb = gzip.compress(bytes(64 * 1024 * 1024))
        async with serve(answer(body=bomb, Content_Encoding="gzip")) as peer:
            with pytest.raises(ResourceLimitExceeded):
                await ask("GET", peer.url)

    go(scenario())


async def nonsense(received, writer):
    writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")


async def hang_up(received, writer):
    writer.close()


async def break_off(received, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("script", [nonsense, hang_up, break_off])
def test_a_server_that_breaks_the_protocol_is_an_io_error(serve, script):
    async def scenario():
        async with serve(script) as peer:
            with pytest.raises(IoError) as error:
                await ask("POST", peer.url, "x")
            assert error.value.details == {"host": peer.url[:-1], "reason": "protocol"}
            assert error.value.message.isprintable()

    go(scenario())
