"""What server reflection answers for a script."""

from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2

from loki.grpc_gateway.typed import schema
from loki.messages.interface import Interface
from loki.v1 import execution_pb2, script_pb2, value_pb2

IMPORTS = (duration_pb2, struct_pb2, timestamp_pb2, value_pb2, script_pb2, execution_pb2)


def files_of(interface: Interface) -> tuple[bytes, ...]:
    """The script's own file, and then what it imports before what imports it."""
    own = schema.describe(interface).SerializeToString()
    return (own, *(module.DESCRIPTOR.serialized_pb for module in IMPORTS))
