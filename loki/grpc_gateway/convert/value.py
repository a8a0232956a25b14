"""Values of `loki.v1` as actors carry them: packed."""

from loki.errors import ErrorCode, ExecutionError
from loki.messages.value import Packed, pack, unpack
from loki.v1 import execution_pb2, value_pb2
from loki.v1_value import from_proto, to_proto


def packed_of(value: value_pb2.ScriptValue) -> Packed:
    """Raises: InvalidArgument for what is nested too deep."""
    return pack(from_proto(value))


def value_of(packed: Packed | None) -> value_pb2.ScriptValue:
    """Raises: ExecutionError (RETURN_TYPE_MISMATCH) for what no ScriptValue can hold."""
    try:
        return to_proto(None if packed is None else unpack(packed))
    except ValueError as error:
        raise ExecutionError(
            f"the script gave what no answer can hold: {error}",
            code=ErrorCode.RETURN_TYPE_MISMATCH,
        ) from error


def arguments_of(input: execution_pb2.ScriptInput) -> dict[str, Packed]:
    """Raises: InvalidArgument."""
    return {name: packed_of(value) for name, value in input.arguments.items()}
