"""Versions of the settings outlive Hel."""

from loki.messages.envelope import Failure
from loki.messages.settings import KeepSettings, ListSettings, ReadSettings
from tests.unit.children.hel_actor.calling import Start


def test_settings_are_kept_once_and_can_be_read_later(start: Start) -> None:
    bench = start()
    first = bench.serve(KeepSettings(text="grpc_port = 1", time_ns=5)).version
    bench.close()
    bench = start()
    assert bench.serve(KeepSettings(text="grpc_port = 1", time_ns=6)).version == first
    second = bench.serve(KeepSettings(text="grpc_port = 2", time_ns=7)).version
    assert (first.number, first.time_ns) == (1, 5)
    assert bench.serve(ListSettings()).versions == (second, first)
    assert bench.serve(ReadSettings()).text == "grpc_port = 2"
    assert bench.serve(ReadSettings(number=1)).text == "grpc_port = 1"
    assert isinstance(bench.serve(ReadSettings(number=3)), Failure)
