"""Calls over HTTP: a gateway in this process, and a client that knows nothing but HTTP."""

import gzip
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loki.core.access.credential import Credentials, digest
from loki.core.access.principal import Principal
from loki.errors import ErrorCode
from loki.grpc_gateway.http import call as http_call
from loki.messages.access import ClientRole, Quota
from loki.messages.execution import CancelRun, Cause, RunFinished, SubmitRun
from loki.messages.gateway import GrpcConfig, HttpConfig
from loki.messages.interface import PublishInterfaces
from loki.messages.library import GetScript, ScriptFound
from loki.messages.value import pack, unpack
from loki.v1 import service_pb2
from tests.unit.loki.conftest import TIMEOUT_S, FakeShell, Hosted
from tests.unit.loki.grpc_gateway.http_client import Answer, Client
from tests.unit.loki.grpc_gateway.interface import every_type, interface
from tests.unit.loki.grpc_gateway.rpc import SCRIPT, failed

PAGE = "https://app.example"
CALL = "/loki.tools.v1.AverageService/Call"
GET_SCRIPT = "/loki.v1.LokiService/GetScript"
MOST_BYTES = GrpcConfig().max_message_bytes
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def hosted(shell: FakeShell, host: Callable[..., Hosted]) -> Hosted:
    running = host(shell, http=HttpConfig(port=0, allowed_origins=(PAGE,)))
    running.publish(PublishInterfaces(changed=(interface(), every_type()), complete=True))
    shell.answers[GetScript] = lambda request: ScriptFound(script=SCRIPT)
    return running


@pytest.fixture
def client(hosted: Hosted) -> Iterator[Client]:
    made = Client(hosted.http)
    yield made
    made.connection.close()


def finish(hosted: Hosted, value: Any) -> Any:
    return lambda submit: hosted.deliver(
        RunFinished(run=submit.run, script=submit.script, cause=Cause.FINISHED, value=pack(value))
    )


class TestCalls:
    def test_a_script_is_called_with_json(self, hosted, shell, client) -> None:
        shell.play = finish(hosted, 2.5)
        answer = client.post(CALL, {"n": 2**53 + 1})
        assert (answer.status, answer.json["value"]) == (200, 2.5)
        submit = shell.wait_for(SubmitRun)
        assert answer.headers["trailer-loki-execution-id"] == submit.run
        assert (submit.script, submit.principal) == ("average", "local")
        assert unpack(submit.arguments["n"]) == 2**53 + 1

    def test_what_curl_sends_by_itself_is_json_too(self, hosted, shell, client) -> None:
        shell.play = finish(hosted, 1.0)
        form = "application/x-www-form-urlencoded"
        assert client.post(CALL, {"n": 1}, Content_Type=form).status == 200
        assert client.post(CALL, {"n": 1}, Content_Type=form, Origin=PAGE).status == 415
        cross = client.post(CALL, {"n": 1}, Content_Type=form, Sec_Fetch_Site="cross-site")
        assert cross.status == 415

    def test_every_type_arrives(self, hosted, shell, client) -> None:
        shell.play = finish(hosted, None)
        given = {
            "string": "ö",
            "integer": "9007199254740993",
            "number": "NaN",
            "boolean": True,
            "bytes": "/w==",
            "object": {"fields": {"a": {"intValue": "1"}}},
            "array": {"items": [{"nullValue": None}]},
        }
        path = f"/loki.tools.v1.{every_type().name.title().replace('_', '')}Service/Call"
        client.post(path, given)
        arguments = {n: unpack(v) for n, v in shell.wait_for(SubmitRun).arguments.items()}
        assert arguments["string"] == "ö"
        assert arguments["integer"] == 2**53 + 1
        assert arguments["number"] != arguments["number"]
        assert (arguments["bytes"], arguments["object"]) == (b"\xff", {"a": 1})

    def test_a_static_method_takes_json_and_protobuf(self, client) -> None:
        answer = client.post(GET_SCRIPT, {"name": "average"})
        assert answer.json["script"]["definition"]["name"] == "average"
        request = service_pb2.GetScriptRequest(name="average").SerializeToString()
        proto = client.ask("POST", GET_SCRIPT, request, Content_Type="application/proto")
        assert proto.headers["content-type"] == "application/proto"
        response = service_pb2.GetScriptResponse.FromString(proto.body)
        assert response.script.definition.name == "average"

    def test_health_is_for_whoever_looks_after_it(self, client) -> None:
        assert client.post("/grpc.health.v1.Health/Check", {}).json == {"status": "SERVING"}
        unknown = client.post("/grpc.health.v1.Health/Check", {"service": "x.Nope"})
        assert unknown.error == (404, "not_found")
        malformed = client.ask(
            "POST", "/grpc.health.v1.Health/Check", b"\xff", Content_Type="application/proto"
        )
        assert malformed.error == (400, "invalid_argument")

    def test_large_ones_go_both_ways_compressed(self, hosted, shell, client) -> None:
        text = "ö" * http_call.LARGE_BYTES
        shell.play = finish(hosted, text)
        request = {"input": {"name": "x", "arguments": {"t": {"stringValue": text}}}}
        answer = client.post(
            "/loki.v1.LokiService/ExecuteScript",
            gzip.compress(json.dumps(request).encode()),
            Content_Encoding="gzip",
            Accept_Encoding="gzip",
        )
        assert answer.headers["content-encoding"] == "gzip"
        result = json.loads(gzip.decompress(answer.body))["result"]
        assert result["value"]["stringValue"] == text
        assert unpack(shell.wait_for(SubmitRun).arguments["t"]) == text

    def test_an_error_of_the_script_is_told_in_full(self, hosted, shell, client) -> None:
        shell.play = lambda submit: hosted.deliver(
            failed(submit.run, ErrorCode.SCRIPT_ERROR, Cause.SCRIPT_ERROR)
        )
        answer = client.post(CALL, {})
        assert answer.error == (500, "unknown")
        assert [detail["type"] for detail in answer.json["details"]][-1] == "loki.v1.ScriptError"

    def test_a_deadline_ends_the_run(self, shell, client) -> None:
        for timeout_ms in (50, 1000, 10_000):  # On a busy machine the body may come too late.
            answer = client.post(CALL, {}, Connect_Timeout_Ms=str(timeout_ms))
            assert (answer.error, answer.reason) == ((504, "deadline_exceeded"), "CLIENT_DEADLINE")
            if shell.sent(SubmitRun):
                break
        ((_, submit, timeout_s),) = shell.sent(SubmitRun)
        assert timeout_s <= timeout_ms / 1000
        assert shell.wait_for(CancelRun).run == submit.run

    def test_a_client_that_leaves_ends_its_run(self, hosted, shell, client) -> None:
        client.connection.request("POST", CALL, b"{}", JSON)
        run = shell.wait_for(SubmitRun).run
        client.connection.close()
        assert shell.wait_for(CancelRun).run == run

    def test_draining_lets_calls_end(self, hosted, shell, client) -> None:
        client.connection.request("POST", CALL, b"{}", JSON)
        run = shell.wait_for(SubmitRun).run
        drained = hosted.drain(1000)
        late = Client(hosted.http).post(CALL, {})
        assert (late.error, late.reason) == ((503, "unavailable"), "DRAINING")
        assert not drained.done()
        value = pack(1.0)
        hosted.deliver(RunFinished(run=run, script="a", cause=Cause.FINISHED, value=value))
        assert Answer(client.connection.getresponse()).json["value"] == 1.0
        drained.result(TIMEOUT_S)


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "error", "words"),
        [
            ("/nothing", (404, "unimplemented"), "no method 'nothing'"),
            ("/loki.v1.LokiService/Nope", (404, "unimplemented"), "no method"),
            ("/loki.tools.v1.NopeService/Call", (404, "unimplemented"), "no typed method"),
            ("/loki.tools.v1.AverageService/Nope", (404, "unimplemented"), "no typed method"),
            ("/loki.tools.v1.AverageService/CallStream", (501, "unimplemented"), "is a stream"),
            ("/loki.tools.v1.NopeService/CallStream", (501, "unimplemented"), "is a stream"),
            ("/loki.v1.LokiService/WatchEvents", (501, "unimplemented"), "by gRPC at 127.0.0.1:"),
        ],
    )
    def test_methods_that_are_not_there(self, client, path, error, words) -> None:
        answer = client.post(path, {})
        assert answer.error == error
        assert words in answer.json["message"]

    def test_a_stream_of_the_protocol_is_ended_as_it_expects(self, client) -> None:
        answer = client.post(
            "/loki.v1.LokiService/WatchEvents", {}, Content_Type="application/connect+json"
        )
        assert (answer.status, answer.body[0]) == (200, 2)
        assert json.loads(answer.body[5:])["error"]["code"] == "unimplemented"

    @pytest.mark.parametrize(
        ("body", "headers", "status", "words"),
        [
            (b"{", {}, 400, "its end is missing"),
            (b'{"m": 1}', {}, 400, "no such field"),
            (b'{"n": "x"}', {}, 400, "n: expected a whole number"),
            (b"", {}, 400, "no JSON object"),
            (b"\xff", {"Content_Type": "application/proto"}, 400, "not a request"),
            (b"{}", {"Connect_Protocol_Version": "2"}, 400, "Connect-Protocol-Version"),
            (b"{}", {"Connect_Timeout_Ms": "soon"}, 400, "Connect-Timeout-Ms"),
            (b"{}", {"Content_Encoding": "br"}, 501, "Content-Encoding"),
            (b"{}", {"Content_Encoding": "gzip"}, 400, "not gzip"),
            (gzip.compress(bytes(50_000_000)), {"Content_Encoding": "gzip"}, 429, "at most"),
        ],
    )
    def test_requests_that_are_none(self, shell, client, body, headers, status, words) -> None:
        answer = client.post(CALL, body, **headers)
        assert answer.status == status
        assert words in answer.json["message"]
        assert shell.sent(SubmitRun) == []

    def test_a_body_that_is_too_large_is_not_read(self, client) -> None:
        client.connection.putrequest("POST", CALL)
        client.connection.putheader("Content-Type", "application/json")
        client.connection.putheader("Content-Length", str(MOST_BYTES + 1))
        client.connection.endheaders()
        assert Answer(client.connection.getresponse()).error == (429, "resource_exhausted")

    def test_a_body_that_grows_too_large_is_not_read_on(self, client) -> None:
        pieces = iter([bytes(MOST_BYTES), b"x"])
        client.connection.request("POST", CALL, pieces, JSON, encode_chunked=True)
        assert Answer(client.connection.getresponse()).error == (429, "resource_exhausted")

    def test_a_body_that_does_not_come_is_not_waited_for(self, client, monkeypatch) -> None:
        monkeypatch.setattr(http_call, "BODY_TIMEOUT_S", 0.05)
        client.connection.putrequest("POST", CALL)
        client.connection.putheader("Content-Type", "application/json")
        client.connection.putheader("Content-Length", "2")
        client.connection.endheaders()
        assert Answer(client.connection.getresponse()).error == (504, "deadline_exceeded")

    def test_a_client_that_waits_for_a_word_gets_it(self, hosted, shell) -> None:
        shell.play = finish(hosted, 1.0)
        address, port = hosted.http.removeprefix("http://").split(":")
        head = f"POST {CALL} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with socket.create_connection((address, int(port)), TIMEOUT_S) as raw:
            raw.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode())
            assert raw.recv(1000).startswith(b"HTTP/1.1 100 ")
            raw.sendall(b"{}")
            assert raw.recv(1000).startswith(b"HTTP/1.1 200 ")

    @pytest.mark.parametrize("kind", ["text/plain", "", "application/grpc", "multipart/form-data"])
    def test_other_content_types_are_unsupported(self, shell, client, kind) -> None:
        answer = client.post(CALL, {}, Content_Type=kind)
        assert answer.status == 415
        assert answer.headers["accept-post"] == "application/json, application/proto"
        assert shell.sent(SubmitRun) == []

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PROPFIND"])
    def test_only_posts_are_calls(self, client, method) -> None:
        answer = client.ask(method, CALL)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


class TestWhoMay:
    def test_pages_of_others_do_not_reach_a_script(self, shell, client, caplog) -> None:
        for origin in "https://evil.example", "null":
            answer = client.post(CALL, {}, Origin=origin)
            assert (answer.error, answer.reason) == ((403, "permission_denied"), "ORIGIN")
            assert "access-control-allow-origin" not in answer.headers
        assert client.post(CALL, {}, Host="evil.example").reason == "ORIGIN"
        assert client.ask("OPTIONS", CALL, Origin="https://evil.example").status == 403
        assert shell.sent(SubmitRun) == []
        assert len([r for r in caplog.records if "refused" in r.getMessage()]) == 1

    def test_a_page_that_may_calls_and_reads(self, hosted, shell, client) -> None:
        asked = client.ask("OPTIONS", CALL, Origin=PAGE, Access_Control_Request_Method="POST")
        assert asked.status == 204
        assert asked.headers["access-control-allow-origin"] == PAGE
        assert "Connect-Timeout-Ms" in asked.headers["access-control-allow-headers"]
        shell.play = finish(hosted, 1.0)
        answer = client.post(CALL, {}, Origin=PAGE)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, PAGE)
        assert answer.headers["vary"] == "Origin"

    def test_nobody_is_refused_before_the_body_is_read(self, hosted, shell, client) -> None:
        hosted.let_in(Credentials(anonymous_loopback=False))
        answer = client.post(CALL, b"{ no JSON at all")
        assert (answer.error, answer.reason) == ((401, "unauthenticated"), "NO_CREDENTIALS")
        assert client.post(GET_SCRIPT, b"{").error == (401, "unauthenticated")

    def test_a_token_is_shown_by_any_name_of_the_device(self, hosted, shell, client) -> None:
        principal = Principal("ada", frozenset({ClientRole.VIEW, ClientRole.EXECUTE}))
        hosted.let_in(Credentials(tokens=((digest(b"s3cret-s3cret-s3"), principal),)))
        shell.play = finish(hosted, 1.0)
        token = "Bearer s3cret-s3cret-s3"
        assert client.post(CALL, {}, Host="device.lan", Authorization=token).status == 200
        assert shell.wait_for(SubmitRun).principal == "ada"
        refused = client.post(CALL, {}, Host="device.lan", Authorization="Bearer guess")
        assert refused.reason == "NO_CREDENTIALS"

    def test_a_quota_counts_each_request_once_also_those_that_are_none(
        self, hosted, shell, client
    ) -> None:
        roles = frozenset({ClientRole.VIEW, ClientRole.EXECUTE})
        ada = Principal("ada", roles, quota=Quota(requests_per_s=0.001))
        hosted.let_in(Credentials(tokens=((digest(b"s3cret-s3cret-s3"), ada),)))
        shell.play = finish(hosted, 1.0)
        token = "Bearer s3cret-s3cret-s3"
        assert client.post(CALL, {}, Authorization=token).status == 200
        refused = client.post(CALL, b"{ no JSON", Authorization=token)
        assert (refused.error, refused.reason) == ((429, "resource_exhausted"), "QUOTA")
        details = {detail["type"] for detail in refused.json["details"]}
        assert "google.rpc.RetryInfo" in details

    def test_what_is_out_of_reach_tells_nothing(self, hosted, shell, client) -> None:
        roles = frozenset({ClientRole.VIEW, ClientRole.EXECUTE})
        hosted.let_in(
            Credentials(tokens=((digest(b"s3cret-s3cret-s3"), Principal("ada", roles, ("x*",))),))
        )
        token = "Bearer s3cret-s3cret-s3"
        hidden = client.post(CALL, {"m": 1}, Authorization=token)
        missing = client.post(CALL.replace("Average", "Nope"), {"m": 1}, Authorization=token)
        assert hidden.status == missing.status == 404
        message = missing.json["message"].replace("Nope", "Average")
        assert hidden.json["message"] == message


def test_without_a_port_there_is_no_http(shell: FakeShell, host: Callable[..., Hosted]) -> None:
    assert host(shell).http == ""


def test_a_restarted_gateway_keeps_its_second_port(
    shell: FakeShell, host: Callable[..., Hosted]
) -> None:
    first = host(shell, http=HttpConfig(port=0))
    first.drain(0).result(TIMEOUT_S)
    shell.previous = first.gateway.detail
    assert host(shell, http=HttpConfig(port=0)).http == first.http
