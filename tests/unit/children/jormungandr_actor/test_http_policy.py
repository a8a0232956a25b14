"""Where a request may go: redirects, addresses, pooled connections, certificates."""

import ssl
import subprocess

import pytest
from jormungandr_actor.http import HttpClient

from loki.errors import (
    InvalidArgument,
    IoError,
    LokiError,
    PermissionRefused,
)
from tests.unit.children.jormungandr_actor.asking import HERE, ask, bounds, go, leading_to, run_with


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
