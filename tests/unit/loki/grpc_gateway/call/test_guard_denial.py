"""What the log has of callers that ask for scripts beyond their globs, and what these are told."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from loki.core.access.credential import digest
from loki.messages.access import AccessConfig, ClientRole, PrincipalEntry
from loki.messages.execution import SubmitRun
from loki.messages.gateway import HttpConfig
from loki.messages.history import Execution, ExecutionFound, ExecutionState, GetExecution
from loki.messages.interface import PublishInterfaces
from loki.v1 import service_pb2
from tests.unit.loki.grpc_gateway.http_client import Client
from tests.unit.loki.grpc_gateway.interface import interface
from tests.unit.loki.grpc_gateway.rpc import SERVICE, execute, stream

TIMEOUT_S = 10.0
SECRET = "secret_one"
TYPED = "loki.tools.v1.SecretOneService"
TOKEN = "the-token-of-pump"
HEADER = [("authorization", f"Bearer {TOKEN}")]
ACCESS = AccessConfig(
    principals=(
        PrincipalEntry(
            name="pump",
            roles=(ClientRole.VIEW, ClientRole.EXECUTE, ClientRole.REGISTER),
            scripts=("pump_*",),
            token_digest=digest(TOKEN.encode()),
        ),
    )
)
PROBES: dict[str, Any] = {
    f"/{SERVICE}/GetScript": service_pb2.GetScriptRequest(name=SECRET),
    f"/{SERVICE}/ListScriptRevisions": service_pb2.ListScriptRevisionsRequest(name=SECRET),
    f"/{SERVICE}/RollbackScript": service_pb2.RollbackScriptRequest(name=SECRET, revision="r"),
    f"/{SERVICE}/UnregisterScript": service_pb2.UnregisterScriptRequest(name=SECRET),
    f"/{SERVICE}/ExecuteScript": execute(SECRET),
    f"/{SERVICE}/StreamScriptExecution": stream(SECRET),
    f"/{SERVICE}/GetExecution": service_pb2.GetExecutionRequest(execution_id="run-1"),
    f"/{SERVICE}/CancelExecution": service_pb2.CancelExecutionRequest(execution_id="run-1"),
    f"/{TYPED}/Call": service_pb2.GetScriptRequest(),
    f"/{TYPED}/CallStream": service_pb2.GetScriptRequest(),
}


@pytest.fixture
def hosted(shell: Any, host: Callable[..., Any]) -> Any:
    run = Execution(
        id="run-1",
        script=SECRET,
        revision="r",
        principal="root",
        state=ExecutionState.FINISHED,
        submitted_ns=1,
    )
    shell.answers[GetExecution] = lambda _request: ExecutionFound(execution=run)
    hosted = host(shell, access=ACCESS, http=HttpConfig(port=0))
    hosted.publish(PublishInterfaces(changed=(interface(SECRET),), complete=True))
    return hosted


def probe(address: str, path: str) -> grpc.RpcError:
    with grpc.insecure_channel(address) as channel:
        make = channel.unary_stream  # Of an error nobody sees that it was to be the only answer.
        call = make(path, request_serializer=lambda request: request.SerializeToString())
        answer = call(PROBES[path], metadata=HEADER, timeout=TIMEOUT_S)
        with pytest.raises(grpc.RpcError) as raised:
            next(answer)
    return raised.value


@pytest.mark.parametrize("path", PROBES)
def test_s_r_2_the_log_tells_who_asked_for_which_script_by_which_method(
    hosted: Any, shell: Any, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    error = probe(hosted.address, path)
    assert error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED)
    assert caplog.messages == [
        f"refused pump: none of its scripts is named '{SECRET}', at '{path}'"
    ]
    assert shell.sent(SubmitRun) == []


def test_who_goes_on_is_logged_once(hosted: Any, caplog: pytest.LogCaptureFixture) -> None:
    for path in PROBES:
        probe(hosted.address, path)
    assert len(caplog.messages) == 1


def test_a_script_that_is_not_there_is_told_of_in_the_same_words(hosted: Any) -> None:
    """Else the answer would tell that a hidden one is there."""
    hidden = probe(hosted.address, f"/{TYPED}/Call")
    hosted.publish(PublishInterfaces(changed=(), complete=True))
    absent = probe(hosted.address, f"/{TYPED}/Call")
    assert (hidden.code(), hidden.details()) == (absent.code(), absent.details())
    assert hidden.trailing_metadata() == absent.trailing_metadata()


def test_the_log_has_what_is_probed_over_http_too(
    hosted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(hosted.http)
    try:
        answer = client.post(f"/{TYPED}/Call", {}, Authorization=f"Bearer {TOKEN}")
    finally:
        client.connection.close()
    assert answer.status == 404
    (line,) = caplog.messages
    assert line == f"refused pump: none of its scripts is named '{SECRET}', at '/{TYPED}/Call'"
