"""What is asked for over HTTP by strangers, too late, or in the wrong part of the protocol."""

import gzip
import json
import socket
from collections.abc import Callable, Iterator

import pytest
from grpc_health.v1 import health_pb2

from loki.core.access.credential import Credentials
from loki.grpc_gateway.http import call as http_call
from loki.messages.envelope import Done
from loki.messages.execution import CancelRun, Cause, RunFinished, SubmitRun
from loki.messages.gateway import HttpConfig
from loki.messages.interface import PublishInterfaces
from loki.messages.value import pack
from tests.unit.loki.conftest import TIMEOUT_S, FakeShell, Hosted
from tests.unit.loki.grpc_gateway.http_client import Client
from tests.unit.loki.grpc_gateway.interface import interface

CALL = "/loki.tools.v1.AverageService/Call"
CHECK = "/grpc.health.v1.Health/Check"
LOKI = "loki.v1.LokiService"
PROTO = {"Content_Type": "application/proto"}


@pytest.fixture
def hosted(shell: FakeShell, host: Callable[..., Hosted]) -> Hosted:
    running = host(shell, http=HttpConfig(port=0))
    running.publish(PublishInterfaces(changed=(interface(),), complete=True))
    shell.answers[CancelRun] = lambda _: Done()
    return running


@pytest.fixture
def client(hosted: Hosted) -> Iterator[Client]:
    made = Client(hosted.http)
    yield made
    made.connection.close()


class TestHealthForStrangers:
    @pytest.fixture(autouse=True)
    def _nobody_is_known(self, hosted: Hosted) -> None:
        hosted.let_in(Credentials(anonymous_loopback=False))

    def test_a_name_is_read_and_looked_up(self, client) -> None:
        assert client.post(CHECK, {}).json == {"status": "SERVING"}
        assert client.post(CHECK, {"service": LOKI}).json == {"status": "SERVING"}
        assert client.post(CHECK, {"service": "x.Nope"}).error == (404, "not_found")
        asked = health_pb2.HealthCheckRequest(service="x.Nope").SerializeToString()
        assert client.ask("POST", CHECK, asked, **PROTO).error == (404, "not_found")

    def test_scripts_are_out_of_sight_as_by_grpc(self, hosted, client) -> None:
        script = {"service": "loki.tools.v1.AverageService"}
        assert client.post(CHECK, script).error == (404, "not_found")
        hosted.let_in(Credentials())
        assert client.post(CHECK, script).json == {"status": "SERVING"}

    @pytest.mark.parametrize("body", [b"{", b"", b"[]", b'{"service": 7}', b'{"servise": ""}'])
    def test_what_is_no_request_is_refused(self, client, body) -> None:
        assert client.post(CHECK, body).error == (400, "invalid_argument")

    @pytest.mark.parametrize("zipped", [False, True])
    def test_a_large_body_is_not_read(self, client, zipped) -> None:
        body = json.dumps({"service": "x" * 5000}).encode()
        sent = gzip.compress(body) if zipped else body
        answer = client.post(CHECK, sent, Content_Encoding="gzip" if zipped else "identity")
        assert answer.error == (429, "resource_exhausted")
        assert "at most 4096 bytes" in answer.json["message"]


class TestDeadlines:
    def test_a_deadline_that_has_passed_starts_nothing(self, hosted, shell, client) -> None:
        answer = client.at_once(CALL, {}, Connect_Timeout_Ms="0")
        assert (answer.error, answer.reason) == ((504, "deadline_exceeded"), "CLIENT_DEADLINE")
        assert shell.sent(SubmitRun) == []

    @pytest.mark.parametrize("timeout", ["-1", "+1", "1.5", "1e3", "", "soon", "9" * 11, "1 s"])
    def test_what_is_no_timeout_is_refused(self, shell, client, timeout) -> None:
        answer = client.post(CALL, {}, Connect_Timeout_Ms=timeout)
        assert answer.error == (400, "invalid_argument")
        assert "Connect-Timeout-Ms" in answer.json["message"]
        assert shell.sent(SubmitRun) == []


class TestSlowClients:
    def test_a_client_that_does_not_read_its_answer_is_dropped(
        self, hosted, shell, monkeypatch
    ) -> None:
        monkeypatch.setattr(http_call, "ANSWER_TIMEOUT_S", 0.05)
        text = "x" * 3_000_000  # More than lies between the two.
        shell.play = lambda submit: hosted.deliver(
            RunFinished(run=submit.run, script="a", cause=Cause.FINISHED, value=pack(text))
        )
        address, port = hosted.http.removeprefix("http://").split(":")
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(TIMEOUT_S)
            raw.connect((address, int(port)))
            body = b'{"input": {"name": "average"}}'
            head = f"POST /{LOKI}/ExecuteScript HTTP/1.1\r\nHost: localhost\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            raw.sendall(head.encode() + body)
            shell.wait_for(SubmitRun)
            assert hosted.run(hosted.gateway._guard.drain(TIMEOUT_S, 0))
            got = 0
            while piece := raw.recv(65536):
                got += len(piece)
            assert got < len(text)


class TestStreamsOfTheProtocol:
    KIND = "application/connect+json"

    @pytest.mark.parametrize("path", [CALL, CHECK, CALL.replace("Average", "Nope")])
    def test_a_unary_method_takes_none(self, shell, client, path) -> None:
        answer = client.post(path, {}, Content_Type=self.KIND)
        assert answer.status == 415
        assert answer.headers["accept-post"] == "application/json, application/proto"
        assert b"is for streams, and" in answer.body
        assert shell.sent(SubmitRun) == []

    def test_what_is_not_there_is_not_there_for_them_either(self, client) -> None:
        answer = client.post("/nothing", {}, Content_Type=self.KIND)
        assert answer.error == (404, "unimplemented")

    @pytest.mark.parametrize("path", ["/loki.v1.LokiService/WatchEvents", CALL + "Stream"])
    def test_a_stream_is_ended_with_where_it_is_served(self, hosted, client, path) -> None:
        answer = client.post(path, {}, Content_Type=self.KIND)
        assert answer.status == 200
        error = json.loads(answer.body[5:])["error"]
        assert error["code"] == "unimplemented"
        assert f"call it by gRPC at {hosted.address}" in error["message"]
        unary = client.post(path, {})
        assert unary.error == (501, "unimplemented")
        assert unary.json["message"] == error["message"]
