"""Every principal against every method: a new method without a decision here fails."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc
import msgspec
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import loki.v1
from loki.core.access.credential import Credentials, digest
from loki.messages.access import AccessConfig, ClientRole, PrincipalEntry, Quota
from loki.messages.execution import CancelRun, SubmitRun
from loki.messages.interface import PublishInterfaces
from loki.messages.library import (
    GetScript,
    ListRevisions,
    ListScripts,
    RegisterScript,
    RollbackScript,
    ScriptsListed,
    UnregisterScript,
)
from loki.security_setting import ROLES
from loki.v1 import service_pb2
from tests.unit.loki.grpc_gateway.interface import interface
from tests.unit.loki.grpc_gateway.rpc import SERVICE, execute, status_of, stream

LOKI = service_pb2.DESCRIPTOR.services_by_name["LokiService"]
SEE = {"read", "run", "register", "adhoc", "data", "admin", "fault"}
MAY = {
    "loki.v1.LokiService.GetCapabilities": SEE,
    "loki.v1.LokiService.GetChildrenStatus": SEE,
    "loki.v1.LokiService.ResetChild": {"admin"},
    "loki.v1.LokiService.ListScripts": SEE,
    "loki.v1.LokiService.GetScript": SEE,
    "loki.v1.LokiService.ListScriptRevisions": SEE,
    "loki.v1.LokiService.RegisterScript": {"register"},
    "loki.v1.LokiService.RollbackScript": {"register"},
    "loki.v1.LokiService.UnregisterScript": {"register"},
    "loki.v1.LokiService.ExecuteScript": {"run", "adhoc"},
    "loki.v1.LokiService.StreamScriptExecution": {"run", "adhoc"},
    "loki.v1.LokiService.CancelExecution": {"run", "adhoc"},
    "loki.v1.LokiService.WatchEvents": SEE,
    "loki.v1.LokiService.GetExecution": SEE,
    "loki.v1.LokiService.ListExecutions": SEE,
    "loki.v1.LokiService.WatchLogs": {"admin"},
    "loki.v1.BackupService.CreateBackup": {"admin"},
    "loki.v1.BackupService.RestoreBackup": {"admin"},
    "loki.v1.SeriesService.ListSeries": SEE,
    "loki.v1.SeriesService.ReadSeries": {"data", "admin"},
    "loki.v1.SeriesService.AggregateSeries": {"data", "admin"},
    "loki.v1.SeriesService.RemoveSeries": {"admin"},
    "loki.v1.SettingsService.GetSettings": {"admin"},
    "loki.v1.SettingsService.ListSettingsVersions": {"admin"},
    "loki.v1.SettingsService.UpdateSettings": {"admin"},
}
"""By the role of the settings that a principal has alone."""
TIMEOUT_S = 10.0


def methods() -> Iterator[MethodDescriptor]:
    for module in pkgutil.iter_modules(loki.v1.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"loki.v1.{module.name}").DESCRIPTOR
            for service in file.services_by_name.values():
                yield from service.methods


def token(name: str) -> str:
    return f"the-token-of-{name}"


ENTRIES = tuple(
    PrincipalEntry(name=word, roles=roles, token_digest=digest(token(word).encode()))
    for word, roles in ROLES.items()
)


@pytest.fixture(scope="module")
def closed() -> AccessConfig:
    return AccessConfig(principals=ENTRIES, anonymous_loopback=False)


@pytest.fixture
def guarded(shell: Any, host: Callable[..., Any], closed: AccessConfig) -> Iterator[grpc.Channel]:
    hosted = host(shell, access=closed)
    hosted.publish(PublishInterfaces(changed=(interface("average"),), complete=True))
    with grpc.insecure_channel(hosted.address) as channel:
        yield channel


def attempt(channel: grpc.Channel, method: MethodDescriptor, words: tuple[str, ...]) -> Any:
    """Status code and reason; None where the call got through."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    metadata = [("authorization", word) for word in words]
    request = GetMessageClass(method.input_type)()
    return try_call(channel, path, request, metadata, method)


def try_call(channel: Any, path: str, request: Any, metadata: Any, method: Any) -> Any:
    kind = ("stream" if method.client_streaming else "unary") + (
        "_stream" if method.server_streaming else "_unary"
    )
    make = getattr(channel, kind)
    call = make(path, request_serializer=type(request).SerializeToString)
    given = iter((request,)) if method.client_streaming else request
    try:
        answer = call(given, metadata=metadata, timeout=TIMEOUT_S)
        if method.server_streaming:
            next(answer, None)
            answer.cancel()
    except grpc.RpcError as error:
        code, details = status_of(error)
        return code, details
    return None


DENIED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def test_s_r_2_every_method_has_a_decision() -> None:
    assert {method.full_name for method in methods()} == MAY.keys()


def test_s_r_2_each_role_reaches_its_methods_and_no_others(guarded: grpc.Channel) -> None:
    for method in methods():
        for word in ROLES:
            got = attempt(guarded, method, (f"Bearer {token(word)}",))
            denied = got is not None and got[0] in DENIED
            assert denied is (word not in MAY[method.full_name]), (method.full_name, word, got)
            assert not denied or got[0] is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("words", [(), ("Bearer wrong",), ("Basic eDp5",), ("Bearer x",) * 2])
def test_s_r_2_nobody_reaches_anything(guarded: grpc.Channel, words: tuple[str, ...]) -> None:
    for method in methods():
        got = attempt(guarded, method, words)
        assert got is not None, method.full_name
        assert got[0] is grpc.StatusCode.UNAUTHENTICATED, method.full_name


@pytest.mark.parametrize("name", ["Call", "CallStream", "NoSuch"])
def test_s_r_2_typed_methods_are_for_who_may_run(
    shell: Any, guarded: grpc.Channel, name: str
) -> None:
    call = guarded.unary_unary(f"/loki.tools.v1.AverageService/{name}")
    for word in ROLES:
        if word not in MAY["loki.v1.LokiService.ExecuteScript"]:
            with pytest.raises(grpc.RpcError) as raised:
                call(b"", metadata=[("authorization", f"Bearer {token(word)}")], timeout=TIMEOUT_S)
            assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED, word
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=TIMEOUT_S)
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert shell.sent(SubmitRun) == []


def test_reflection_is_for_who_may_see(guarded: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(guarded)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.RpcError) as raised:
        next(stub.ServerReflectionInfo(iter((asked,)), timeout=TIMEOUT_S))
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    header = [("authorization", f"Bearer {token('read')}")]
    answer = next(stub.ServerReflectionInfo(iter((asked,)), metadata=header, timeout=TIMEOUT_S))
    assert SERVICE in {each.name for each in answer.list_services_response.service}


def test_health_is_for_whoever_connects(guarded: grpc.Channel) -> None:
    """Those that watch over a device, such as a load balancer, have no names."""
    stub = health_pb2_grpc.HealthStub(guarded)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=TIMEOUT_S)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_tells_strangers_nothing_of_scripts(guarded: grpc.Channel) -> None:
    """Scripts, whose names are not for everybody, are in the typed services' names."""
    stub = health_pb2_grpc.HealthStub(guarded)
    known = stub.List(health_pb2.HealthListRequest(), timeout=TIMEOUT_S).statuses
    assert SERVICE in known
    assert not [name for name in known if name.startswith("loki.tools.")]
    typed = health_pb2.HealthCheckRequest(service="loki.tools.v1.AverageService")
    with pytest.raises(grpc.RpcError) as raised:
        stub.Check(typed, timeout=TIMEOUT_S)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def narrow_and_wide() -> AccessConfig:
    def entry(name: str, scripts: tuple[str, ...]) -> PrincipalEntry:
        held = digest(token(name).encode())
        return PrincipalEntry(
            name=name,
            roles=(ClientRole.VIEW, ClientRole.EXECUTE, ClientRole.REGISTER),
            scripts=scripts,
            token_digest=held,
        )

    return AccessConfig(principals=(entry("narrow", ("sensor_*",)), entry("wide", ("*",))))


NAMED = {
    "GetScript": service_pb2.GetScriptRequest(name="average"),
    "ListScriptRevisions": service_pb2.ListScriptRevisionsRequest(name="average"),
    "RollbackScript": service_pb2.RollbackScriptRequest(name="average", revision="r"),
    "UnregisterScript": service_pb2.UnregisterScriptRequest(name="average"),
    "ExecuteScript": execute("average"),
    "StreamScriptExecution": stream("average"),
}


@pytest.mark.parametrize("name", NAMED)
def test_s_r_2_a_script_that_may_not_be_seen_is_not_there(
    shell: Any, host: Callable[..., Any], name: str
) -> None:
    asked = (GetScript, ListRevisions, RollbackScript, UnregisterScript, SubmitRun)
    hosted = host(shell, access=narrow_and_wide())
    method = LOKI.methods_by_name[name]
    header = [("authorization", f"Bearer {token('narrow')}")]
    with grpc.insecure_channel(hosted.address) as channel:
        got = try_call(channel, f"/{SERVICE}/{name}", NAMED[name], header, method)
    code, details = got
    assert code is grpc.StatusCode.NOT_FOUND
    assert b"SCRIPT_NOT_FOUND" in details["ErrorInfo"].value
    assert not [kind for kind in asked if shell.sent(kind)]


def test_s_r_2_a_name_beyond_the_globs_is_not_registered(
    shell: Any, host: Callable[..., Any]
) -> None:
    hosted = host(shell, access=narrow_and_wide())
    request = service_pb2.RegisterScriptRequest()
    request.definition.name, request.definition.source = "average", "return 1"
    method = LOKI.methods_by_name["RegisterScript"]
    header = [("authorization", f"Bearer {token('narrow')}")]
    with grpc.insecure_channel(hosted.address) as channel:
        code, _ = try_call(channel, f"/{SERVICE}/RegisterScript", request, header, method)
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert shell.sent(RegisterScript) == []


def test_lists_are_asked_for_what_may_be_seen(shell: Any, host: Callable[..., Any]) -> None:
    shell.answers[ListScripts] = lambda _request: ScriptsListed(scripts=())
    hosted = host(shell, access=narrow_and_wide())
    with grpc.insecure_channel(hosted.address) as channel:
        for name in ("narrow", "wide"):
            header = [("authorization", f"Bearer {token(name)}")]
            request, method = service_pb2.ListScriptsRequest(), LOKI.methods_by_name["ListScripts"]
            assert try_call(channel, f"/{SERVICE}/ListScripts", request, header, method) is None
    asked = [message.among for _, message, _ in shell.sent(ListScripts)]
    assert asked == [("sensor_*",), ("*",)]


def bounded(**quota: Any) -> AccessConfig:
    entry = PrincipalEntry(
        name="panel",
        roles=(ClientRole.VIEW, ClientRole.EXECUTE),
        token_digest=digest(token("panel").encode()),
        quota=Quota(**quota),
    )
    return AccessConfig(principals=(entry,))


PANEL = [("authorization", f"Bearer {token('panel')}")]


def quota_met(got: Any) -> bytes:
    """Raises: AssertionError unless the call ended by a quota, with all that a client needs."""
    code, details = got
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert b"QUOTA" in details["ErrorInfo"].value
    assert b"panel" in details["QuotaFailure"].value
    assert "RetryInfo" in details
    return details["ErrorInfo"].value


@pytest.mark.parametrize(
    ("quota", "name"),
    [({"requests_per_s": 0.001}, b"requests_per_s"), ({"request_bytes_per_s": 1}, b"request_kb")],
)
def test_a_principal_that_asks_too_much_is_told_when_to_ask_again(
    shell: Any, host: Callable[..., Any], quota: dict[str, Any], name: bytes
) -> None:
    shell.answers[ListScripts] = lambda _request: ScriptsListed(scripts=())
    hosted = host(shell, access=bounded(**quota))
    request = service_pb2.ListScriptsRequest(pattern="x" * 100)
    with grpc.insecure_channel(hosted.address) as channel:
        ask = partial(try_call, channel, f"/{SERVICE}/ListScripts", request)
        method = LOKI.methods_by_name["ListScripts"]
        assert ask(PANEL, method) is None
        assert name in quota_met(ask(PANEL, method))
        assert ask([], method) is None
    assert len(shell.sent(ListScripts)) == 2


def test_what_is_refused_counts_too(shell: Any, host: Callable[..., Any]) -> None:
    """Else one that may not do something could ask for it as often, and as long, as it likes."""
    hosted = host(shell, access=bounded(requests_per_s=0.001))
    request, method = NAMED["UnregisterScript"], LOKI.methods_by_name["UnregisterScript"]
    with grpc.insecure_channel(hosted.address) as channel:
        ask = partial(try_call, channel, f"/{SERVICE}/UnregisterScript", request, PANEL, method)
        assert ask()[0] is grpc.StatusCode.PERMISSION_DENIED
        assert b"requests_per_s" in quota_met(ask())


def test_so_many_runs_of_one_principal_at_a_time(shell: Any, host: Callable[..., Any]) -> None:
    """Typed methods too: all runs go one way."""
    hosted = host(shell, access=bounded(runs_in_flight=1))
    hosted.publish(PublishInterfaces(changed=(interface("average"),), complete=True))
    method = LOKI.methods_by_name["ExecuteScript"]
    path = f"/{SERVICE}/ExecuteScript"
    with grpc.insecure_channel(hosted.address) as channel:
        begin = channel.unary_unary(path, type(NAMED["ExecuteScript"]).SerializeToString)
        first = begin.future(NAMED["ExecuteScript"], metadata=PANEL)
        shell.wait_for(SubmitRun)
        quota_met(try_call(channel, path, NAMED["ExecuteScript"], PANEL, method))
        typed = "/loki.tools.v1.AverageService/Call"
        request = service_pb2.GetScriptRequest()  # No fields: no arguments.
        quota_met(try_call(channel, typed, request, PANEL, method))
        first.cancel()
        shell.wait_for(CancelRun)
        again = begin.future(NAMED["ExecuteScript"], metadata=PANEL)
        shell.wait_for(SubmitRun, 2)
        again.cancel()


def test_the_library_is_told_how_many_scripts_a_principal_may_have(
    shell: Any, host: Callable[..., Any]
) -> None:
    config = bounded(scripts=3)
    (entry,) = config.principals
    may = msgspec.structs.replace(entry, roles=(ClientRole.REGISTER,))
    hosted = host(shell, access=msgspec.structs.replace(config, principals=(may,)))
    request = service_pb2.RegisterScriptRequest()
    request.definition.name, request.definition.source = "average", "return 1"
    method = LOKI.methods_by_name["RegisterScript"]
    with grpc.insecure_channel(hosted.address) as channel:
        try_call(channel, f"/{SERVICE}/RegisterScript", request, PANEL, method)
    ((_, asked, _),) = shell.sent(RegisterScript)
    assert (asked.principal, asked.most_scripts) == ("panel", 3)


def test_s_r_2_a_token_that_is_taken_away_ends_what_goes_on_with_it(
    shell: Any, host: Callable[..., Any]
) -> None:
    """A watch of its holder, and no other's."""
    hosted = host(shell, access=bounded())
    path, request = f"/{SERVICE}/WatchEvents", service_pb2.WatchEventsRequest()
    with grpc.insecure_channel(hosted.address) as channel:
        watch = channel.unary_stream(path, type(request).SerializeToString)
        held = watch(request, metadata=PANEL, timeout=TIMEOUT_S)
        others = watch(request, timeout=TIMEOUT_S)
        next(held)
        next(others)
        for _ in range(3):  # Once others are answered, the watches wait for events.
            with pytest.raises(grpc.RpcError):
                channel.unary_unary("/no.Service/Method", bytes, bytes)(b"", timeout=TIMEOUT_S)
        hosted.let_in(Credentials())
        with pytest.raises(grpc.RpcError) as raised:
            next(held)
        code, details = status_of(raised.value)
        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert b"NO_CREDENTIALS" in details["ErrorInfo"].value
        assert others.is_active()
        method = LOKI.methods_by_name["ListScripts"]
        got = try_call(
            channel, f"/{SERVICE}/ListScripts", service_pb2.ListScriptsRequest(), PANEL, method
        )
        assert got[0] is grpc.StatusCode.UNAUTHENTICATED
        others.cancel()
