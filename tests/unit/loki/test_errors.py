"""Every error class survives its journey as a Failure."""

import msgspec
import pytest

from loki.errors import CompilationError, ErrorCode, LokiError, error_of
from loki.messages.envelope import Failure


@pytest.mark.parametrize(
    "cls", [c for c in LokiError.__subclasses__() if c.__module__ == "loki.errors"]
)
def test_s_1_1_3_round_trip_keeps_code_message_and_details(cls: type[LokiError]) -> None:
    original = cls("no pin 99", details={"pin": "99"})
    wire = msgspec.msgpack.encode(Failure.of(original))
    again = msgspec.msgpack.decode(wire, type=Failure).error()
    assert (again.code, again.message, again.details) == (cls.default, "no pin 99", {"pin": "99"})
    if cls is not CompilationError:
        assert type(again) is cls


def test_a_code_without_a_class_of_its_own_is_a_loki_error() -> None:
    assert type(error_of(ErrorCode.REVISION_CONFLICT, "x", {})) is LokiError
