"""The tree of one device, as it is told to the root."""

import msgspec
import pytest

from loki.actors.start.keeper import GRACE_S
from loki.child import Child, LuaModule
from loki.config import SupervisionSettings
from loki.core.supervisor.spec import Restart, Strategy, SupervisorSpec
from loki.core.supervisor.state import Exited, StopAll, StopChild
from loki.core.supervisor.supervision import step
from loki.grpc_gateway.server import CLOSING_S
from loki.messages.dispatch import DispatcherConfig
from loki.messages.gateway import GatewayConfig
from loki.messages.library import LibraryConfig
from loki.messages.tree import SupervisorConfig
from loki.tree import plan
from tests.scenario.world import World

NOTHING = msgspec.Raw(b"\xc0")


def child(name: str, *, vital: bool = False, missed_heartbeats: int = 3) -> Child:
    return Child(
        module=LuaModule(name=name, child=name, doc="", functions=()),
        role=f"{name}:Role",
        config=f"{name}:Config",
        vital=vital,
        missed_heartbeats=missed_heartbeats,
    )


@pytest.fixture
def config() -> SupervisorConfig:
    library = LibraryConfig(
        tools="", tools_named=False, script_storage_path="", state_dir="", modules=()
    )
    return plan(
        [(child("hands"), NOTHING), (child("memory", vital=True, missed_heartbeats=8), NOTHING)],
        library=library,
        dispatcher=DispatcherConfig(modules=(), run_dir="/run/it", disabled=("ears",)),
        gateway=GatewayConfig(version="1"),
        supervision=SupervisionSettings(intensity=7, period_s=9.0, heartbeat_ms=250),
    )


def spec_of(config: SupervisorConfig) -> SupervisorSpec:
    return msgspec.msgpack.decode(config.spec, type=SupervisorSpec)


def test_data_starts_first_and_the_gateway_last(config: SupervisorConfig) -> None:
    names = ["memory", "hands", "library", "dispatcher", "gateway"]
    assert [actor.name for actor in config.actors] == names
    assert [each.name for each in spec_of(config).children] == names
    assert [actor.name for actor in config.actors if actor.service] == ["memory", "hands"]


def test_only_what_depends_on_the_outside_may_be_out_of_service(config: SupervisorConfig) -> None:
    assert [each.name for each in spec_of(config).children if each.backoff] == ["hands"]
    assert {each.restart for each in spec_of(config).children} == {Restart.PERMANENT}


def test_only_the_library_has_much_to_read_before_it_is_ready(config: SupervisorConfig) -> None:
    patience = {each.name: each.start_timeout_s for each in spec_of(config).children}
    assert patience.pop("library") == 60.0
    assert set(patience.values()) == {10.0}


def test_a_child_says_how_patient_it_wants_it(config: SupervisorConfig) -> None:
    assert [each.missed_heartbeats for each in spec_of(config).children] == [8, 3, 3, 3, 3]


def test_at_the_end_calls_have_as_long_as_the_settings_say(config: SupervisorConfig) -> None:
    """And the others what they had without."""
    world = World(spec_of(config))
    world.play("begin")
    ending, commands = step(world.supervisor, StopAll(GRACE_S), world.now_s)
    (stop,) = (each for each in commands if isinstance(each, StopChild))
    assert (stop.name, stop.grace_s) == ("gateway", GatewayConfig(version="1").grpc.drain_s + 0.75)
    assert stop.grace_s - CLOSING_S > spec_of(config).drain_s
    gone = Exited("gateway", 1, "shutdown")
    for used_s, share_s in ((0.0, 0.75), (stop.grace_s, 0.375)):
        _, commands = step(ending, gone, world.now_s + used_s)
        (stop_next,) = (each for each in commands if isinstance(each, StopChild))
        assert (stop_next.name, stop_next.grace_s) == ("dispatcher", pytest.approx(share_s))


def test_settings_say_how_patient_it_is(config: SupervisorConfig) -> None:
    spec = spec_of(config)
    assert (spec.strategy, spec.intensity) == (Strategy.ONE_FOR_ONE, 7)
    assert (spec.period_s, spec.heartbeat_s) == (9.0, 0.25)
    assert (config.run_dir, config.disabled) == ("/run/it", ("ears",))
