"""Revisions of scripts in the messages of `loki.v1`; no decisions."""

from google.protobuf.timestamp_pb2 import Timestamp

from loki.grpc_gateway import convert
from loki.messages.library import ListRevisions
from loki.messages.registry import ScriptRevision
from loki.v1 import script_pb2, service_pb2


def list_request(request: service_pb2.ListScriptRevisionsRequest) -> ListRevisions:
    """Raises: InvalidArgument for a negative page size."""
    return ListRevisions(
        name=request.name,
        page_size=convert.page_size(request.page_size),
        page=request.page_token,
    )


def to_proto(revision: ScriptRevision) -> script_pb2.ScriptRevision:
    time = Timestamp()
    time.FromNanoseconds(revision.registered_ns)
    return script_pb2.ScriptRevision(
        revision=revision.revision,
        principal=revision.principal,
        register_time=time if revision.registered_ns else None,
        current=revision.current,
    )
