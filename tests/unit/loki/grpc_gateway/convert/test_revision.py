"""Revisions of scripts over the API."""

from typing import Any

import grpc
import pytest

from loki.errors import InvalidArgument
from loki.grpc_gateway.convert import revision
from loki.messages.library import GetScript, ListRevisions, RollbackScript, ScriptFound
from loki.messages.registry import RevisionsRead, ScriptRevision
from loki.v1 import service_pb2
from tests.unit.loki.grpc_gateway.rpc import SCRIPT


def of(name: str, registered_ns: int = 0, *, current: bool = False) -> ScriptRevision:
    return ScriptRevision(
        revision=name, principal="ann", registered_ns=registered_ns, current=current
    )


def test_a_page_of_revisions_is_asked_and_told(shell: Any, stub: Any) -> None:
    shell.answers[ListRevisions] = lambda _: RevisionsRead(
        revisions=(of("r2", 3_000_000_005, current=True), of("r1")), next_page="7"
    )
    request = service_pb2.ListScriptRevisionsRequest(name="average", page_size=2, page_token="9")
    answer = stub.ListScriptRevisions(request)
    assert shell.wait_for(ListRevisions) == ListRevisions(name="average", page_size=2, page="9")
    newest, oldest = answer.revisions
    assert (newest.revision, newest.principal, newest.current) == ("r2", "ann", True)
    assert newest.register_time.ToNanoseconds() == 3_000_000_005
    assert not oldest.HasField("register_time")
    assert answer.next_page_token == "7"


def test_a_script_is_asked_as_it_was(shell: Any, stub: Any) -> None:
    shell.answers[GetScript] = lambda _: ScriptFound(script=SCRIPT)
    stub.GetScript(service_pb2.GetScriptRequest(name="average", revision="r1"))
    assert shell.wait_for(GetScript) == GetScript(name="average", revision="r1")


def test_a_negative_page_is_refused_before_anybody_is_asked(shell: Any, stub: Any) -> None:
    request = service_pb2.ListScriptRevisionsRequest(name="average", page_size=-1)
    with pytest.raises(InvalidArgument, match="page_size"):
        revision.list_request(request)
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListScriptRevisions(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("name", "to", "missing"), [("average", "", "revision"), ("", "r1", "name")]
)
def test_a_rollback_says_of_what_and_to_what(
    shell: Any, stub: Any, name: str, to: str, missing: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.RollbackScript(service_pb2.RollbackScriptRequest(name=name, revision=to))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert missing in (caught.value.details() or "")
    assert shell.sent(RollbackScript) == []
