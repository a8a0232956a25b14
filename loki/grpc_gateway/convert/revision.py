"""Revisions of scripts in the messages of `loki.v1`; no decisions."""

from google.protobuf.timestamp_pb2 import Timestamp

from loki.core.access.principal import Principal
from loki.errors import InvalidArgument
from loki.grpc_gateway.convert.field import page_size
from loki.messages.library import ListRevisions, RollbackScript
from loki.messages.registry import ScriptRevision
from loki.v1 import script_pb2, service_pb2


def list_request(request: service_pb2.ListScriptRevisionsRequest) -> ListRevisions:
    """Raises: InvalidArgument for a negative page size."""
    return ListRevisions(
        name=request.name,
        page_size=page_size(request),
        page=request.page_token,
    )


def rollback_request(
    request: service_pb2.RollbackScriptRequest, principal: Principal
) -> RollbackScript:
    """Raises: InvalidArgument where it does not say to what."""
    for field in ("name", "revision"):
        if not getattr(request, field):
            raise InvalidArgument(f"{field}: is required", details={"field": field})
    return RollbackScript(
        name=request.name,
        revision=request.revision,
        principal=principal.name,
        expected_revision=request.expected_revision,
        most_scripts=principal.quota.scripts,
    )


def to_proto(revision: ScriptRevision) -> script_pb2.ScriptRevision:
    return script_pb2.ScriptRevision(
        revision=revision.revision,
        principal=revision.principal,
        register_time=_time(revision.registered_ns),
        current=revision.current,
        current_principal=revision.current_by,
        current_time=_time(revision.current_ns),
    )


def _time(time_ns: int) -> Timestamp | None:
    time = Timestamp()
    time.FromNanoseconds(time_ns)
    return time if time_ns else None
