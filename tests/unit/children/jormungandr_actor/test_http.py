"""HTTP against servers on this machine: what comes back, what is refused, what is bounded."""

import asyncio
import gzip
import socket
import ssl
import subprocess

import pytest
from jormungandr_actor.http import Bounds, HttpClient

from loki.child import Run
from loki.errors import (
    InvalidArgument,
    IoError,
    LokiError,
    PermissionRefused,
    ResourceLimitExceeded,
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


def fetch_error(url, **options):
    with pytest.raises(IoError) as error:
        go(ask("GET", url, **options))
    return error.value


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
            with pytest.raises(IoError, match=r"did not answer within 0\.2 s|properly") as error:
                await ask("GET", peer.url, timeout_s=0.2)
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


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
    ],
)
def test_s_7_2_1_redirects_are_followed(serve, status, method, then):
    async def script(received, writer):
        if " /there" in received.line:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        else:
            head = f"HTTP/1.1 {status} Go\r\nLocation: there?x=1\r\nContent-Length: 0\r\n\r\n"
            writer.write(head.encode())

    async def scenario():
        async with serve(script) as peer:
            body = "b" if method in ("POST", "PUT") else None
            assert await ask(method, f"{peer.url}here", body) == b"ok"
            assert peer.requests[1].line == f"{then} /there?x=1 HTTP/1.1"
            assert peer.requests[1].body == (b"b" if then == method and body else b"")

    go(scenario())


def test_endless_redirects_end(serve, answer):
    async def scenario():
        async with serve(answer("302 Found", Location="/again")) as peer:
            with pytest.raises(IoError, match="more than 3 times"):
                await ask("GET", peer.url, max_redirects=3)
            assert len(peer.requests) == 4

    go(scenario())


@pytest.mark.parametrize(
    "location", ["http://[::1/", "file:///etc/passwd", "//u@h/", "http://a b/"]
)
def test_a_redirect_to_nonsense_is_the_servers_fault(serve, answer, location):
    async def scenario():
        async with serve(answer("302 Found", Location=location)) as peer:
            with pytest.raises(IoError, match="redirects badly"):
                await ask("GET", peer.url)
            assert len(peer.requests) == 1

    go(scenario())


def test_s_7_5_1_a_redirect_to_where_the_run_may_not_go_is_refused(serve, answer, connections):
    async def scenario():
        async with serve(answer(body=b"secret")) as inner:
            elsewhere = f"http://127.0.0.1:{inner.port}/"
            async with serve(answer("302 Found", Location=elsewhere)) as outer:
                with pytest.raises(PermissionRefused) as refused:
                    await ask("GET", outer.url, http=(outer.url,))
                assert f'http = ["http://127.0.0.1:{inner.port}/"]' in refused.value.message
                assert [address[1] for address in connections] == [outer.port]
                assert inner.accepted == 0

    go(scenario())


def test_a_redirect_is_looked_up_and_checked_again(serve, answer):
    """The first name leads somewhere allowed, the second to this device."""

    async def scenario():
        async with serve(answer(body=b"secret")) as inner:
            target = f"http://rebound.example:{inner.port}/"
            async with serve(answer("302 Found", Location=target)) as outer:
                with pytest.raises(PermissionRefused, match="this device"):
                    await ask("GET", outer.url, http=(*HERE, "*"), resolve=leading_to("127.0.0.1"))
                assert inner.accepted == 0

    go(scenario())


@pytest.mark.parametrize(
    ("http", "url", "addresses", "error", "text"),
    [
        ((), "http://127.0.0.1:{port}/", [], PermissionRefused, r'"http://127\.0\.0\.1:\d+/"'),
        (("*",), "http://127.0.0.1:{port}/", [], PermissionRefused, "this device"),
        (("*",), "http://[::ffff:127.0.0.1]:{port}/", [], PermissionRefused, "this device"),
        (("*",), "http://[64:ff9b::7f00:1]:{port}/", [], PermissionRefused, "this device"),
        (("*",), "http://a.example:{port}/", ["127.0.0.1"], PermissionRefused, "127.0.0.1"),
        (
            ("http://a.example:*/",),
            "http://a.example:{port}/",
            ["127.0.0.1"],
            PermissionRefused,
            r'"http://127\.0\.0\.1:\d+/"',
        ),
        (
            ("http://a.example:*/",),
            "http://a.example:{port}/",
            ["93.184.215.14", "127.0.0.1"],
            PermissionRefused,
            "this device",
        ),
        (("*",), "http://nas:{port}/", ["10.0.0.2"], PermissionRefused, r'"http://nas:\d+/"'),
        (("*",), "http://a.example/", ["169.254.169.254"], PermissionRefused, "its link"),
        (HERE, "http://127.0.0.1:{port}/a\r\nX: y", [], InvalidArgument, "control character"),
        (HERE, "http://u:p@127.0.0.1:{port}/", [], InvalidArgument, "user"),
        (HERE, "http://127.0.0.1:{port}/%2e%2e/", [], InvalidArgument, r"'\.\.'"),
        (HERE, "ws://127.0.0.1:{port}/", [], InvalidArgument, "http://"),
    ],
)
def test_a_refused_request_opens_no_socket(
    serve, answer, connections, http, url, addresses, error, text
):
    async def scenario():
        async with serve(answer()) as peer:
            with pytest.raises(error, match=text):
                await ask(
                    "GET", url.format(port=peer.port), http=http, resolve=leading_to(*addresses)
                )
            assert peer.accepted == 0

    go(scenario())
    assert connections == []


def test_the_watch_on_connections_sees_those_that_are_made(serve, answer, connections):
    async def scenario():
        async with serve(answer()) as peer:
            await ask("GET", peer.url)
            assert connections == [("127.0.0.1", peer.port)]

    go(scenario())


def test_what_is_not_allowed_is_not_even_looked_up():
    resolve = leading_to("127.0.0.1")
    with pytest.raises(PermissionRefused):
        go(ask("GET", "http://data.leaks.example/", resolve=resolve))
    assert resolve.asked == []


def test_a_pooled_connection_serves_only_the_address_it_was_checked_for(serve, answer):
    """A name that led somewhere for one run must be checked for the next, pool or not."""

    async def scenario():
        async with serve(answer(body=b"x")) as peer:
            client = HttpClient(bounds(), leading_to("127.0.0.1"))
            url = f"http://localhost:{peer.port}/"
            await client.request(run_with("http://localhost:*/"), "GET", url)
            with pytest.raises(PermissionRefused):
                await client.request(run_with("*"), "GET", url)
            await client.close()
            assert len(peer.requests) == 1

    go(scenario())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory, need):
    """A certificate for localhost, signed by itself, and its context for a server."""
    need("openssl", "its command makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        ["openssl", *request.split(), *names, "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return str(cert), context


def test_s_7_2_2_https_works_with_a_trusted_authority(serve, answer, certificate):
    cert, context = certificate

    async def scenario():
        async with serve(answer(body=b"safe"), context) as peer:
            url = f"https://localhost:{peer.port}/"
            http = ("https://localhost:*/",)
            assert await ask("GET", url, http=http, ca_file=cert) == b"safe"

    go(scenario())


@pytest.mark.parametrize(
    ("host", "trusted"), [("localhost", False), ("127.0.0.1", True)], ids=["stranger", "other name"]
)
def test_s_7_2_2_https_is_verified(serve, answer, certificate, host, trusted):
    cert, context = certificate

    async def scenario():
        async with serve(answer(), context) as peer:
            with pytest.raises(LokiError, match="cannot be trusted") as error:
                await ask(
                    "GET",
                    f"https://{host}:{peer.port}/",
                    http=(f"https://{host}:*/",),
                    ca_file=cert if trusted else "",
                )
            assert error.value.details["reason"] == "tls"
            assert peer.requests == []

    go(scenario())
