"""Children through loki.v1."""

from loki.grpc_gateway.convert.device import children_to_proto
from loki.messages.lifecycle import ChildState, ChildStatus


def test_every_state_has_its_name_in_the_api() -> None:
    for state in ChildState:
        (info,) = children_to_proto([ChildStatus(name="hel", state=state)])
        assert info.enabled == (state is not ChildState.DISABLED)
