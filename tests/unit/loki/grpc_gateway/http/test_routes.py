"""Where paths lead, and what a caller may know of that."""

from types import SimpleNamespace
from typing import Any

import pytest

from loki.core.access.principal import LOCAL, Principal
from loki.grpc_gateway.http.routes import Routes
from loki.messages.access import ClientRole
from loki.v1 import service_pb2

SERVICE = service_pb2.DESCRIPTOR.services_by_name["LokiService"]
HANDLERS = {method.name: method.name for method in SERVICE.methods}
READER = Principal("reader", frozenset({ClientRole.VIEW}))


class Typed:
    """One script, which everybody with a role may run."""

    def find(self, path: str) -> str:
        return f"handler of {path}"

    def request_of(self, path: str, principal: Principal | None) -> Any:
        if principal is LOCAL and path == "/loki.tools.v1.AverageService/Call":
            return SimpleNamespace
        return None


@pytest.fixture
def routes() -> Routes:
    made = Routes(Typed())  # type: ignore[arg-type]  # As much as it uses.
    made.add(SERVICE, HANDLERS)  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize("principal", [LOCAL, READER, None])
def test_static_methods_are_known_to_everybody(routes: Routes, principal: Any) -> None:
    route = routes.find("/loki.v1.LokiService/GetScript", principal)
    assert (route.handler, route.request) == ("GetScript", service_pb2.GetScriptRequest)
    assert route.there
    assert not route.streams


@pytest.mark.parametrize(
    "path",
    ["/loki.v1.LokiService/WatchEvents", "/loki.tools.v1.AverageService/CallStream"],
)
def test_streams_are_told_from_calls(routes: Routes, path: str) -> None:
    assert routes.find(path, None).streams


@pytest.mark.parametrize(
    ("path", "principal", "there"),
    [
        ("/loki.tools.v1.AverageService/Call", LOCAL, True),
        ("/loki.tools.v1.AverageService/Call", READER, False),
        ("/loki.tools.v1.AverageService/Call", None, False),
        ("/loki.tools.v1.NopeService/Call", LOCAL, False),
    ],
)
def test_typed_methods_are_known_to_those_who_may_run_them(
    routes: Routes, path: str, principal: Any, there: bool
) -> None:
    route = routes.find(path, principal)
    assert (route.there, route.handler) == (there, f"handler of {path}")


@pytest.mark.parametrize("path", ["/", "", "/x", "/loki.v1.LokiService", "//"])
def test_nothing_else_is_there(routes: Routes, path: str) -> None:
    route = routes.find(path, LOCAL)
    assert route.handler is None
    assert not route.there
