"""What the Library publishes, as snapshots."""

import asyncio
from types import MappingProxyType

import pytest

from loki.actors.door.role import Context
from loki.core.access.principal import LOCAL, NOBODY, Principal, may_run, may_see
from loki.errors import PermissionRefused, ServiceUnavailable
from loki.grpc_gateway.typed.directory import EMPTY, Directory, Snapshot, TypedService, names_for
from loki.messages.access import ClientRole
from loki.messages.envelope import Done
from loki.messages.interface import Interface, PublishInterfaces, SendInterfaces
from loki.messages.script import Parameter, ValueType

NAMES = ("average", "readHTTP", "read_2", "H2", "service", "call_request")


def interface(name: str, revision: str = "r1") -> Interface:
    return Interface(
        name=name,
        revision=revision,
        description="",
        parameters=(Parameter(name="n", type=ValueType.INTEGER),),
        return_type=ValueType.NUMBER,
        numbers=(1,),
    )


def whole(*names: str) -> Snapshot:
    return EMPTY.after(PublishInterfaces(changed=tuple(map(interface, names)), complete=True))


def revisions(snapshot: Snapshot) -> dict[str, str]:
    services = snapshot.services.values()
    return {each.interface.name: each.interface.revision for each in services}


class TestSnapshot:
    def test_news_make_another_snapshot_and_leave_the_old_one_alone(self) -> None:
        old = whole("a", "b")
        new = old.after(
            PublishInterfaces(changed=(interface("b", "r2"), interface("c")), removed=("a",))
        )
        assert revisions(old) == {"a": "r1", "b": "r1"}
        assert revisions(new) == {"b": "r2", "c": "r1"}
        assert isinstance(new.services, MappingProxyType)

    def test_what_did_not_change_stays_the_same_service(self) -> None:
        old = whole("a", "b")
        new = old.after(PublishInterfaces(changed=(interface("b", "r2"),)))
        assert new.by_script("a") is old.by_script("a")
        assert new.by_script("b") is not old.by_script("b")

    def test_a_whole_library_in_parts_ends_what_no_part_named(self) -> None:
        old = whole("a", "b", "c")
        part = old.after(PublishInterfaces(changed=(interface("b", "r2"),)))
        last = PublishInterfaces(changed=(interface("d"),), complete=True, others=("b",))
        assert revisions(part.after(last)) == {"b": "r2", "d": "r1"}

    def test_it_is_whole_once_a_library_has_sent_all(self) -> None:
        part = EMPTY.after(PublishInterfaces(changed=(interface("a"),)))
        assert (EMPTY.whole, part.whole) == (False, False)
        done = part.after(PublishInterfaces(complete=True, others=("a",)))
        assert done.whole
        assert done.after(PublishInterfaces(removed=("a",))).whole

    def test_removing_a_name_spares_another_of_the_same_form(self) -> None:
        snapshot = whole("readSensor").after(PublishInterfaces(removed=("read_sensor", "never")))
        assert revisions(snapshot) == {"readSensor": "r1"}
        assert snapshot.by_script("read_sensor") is None

    @pytest.mark.parametrize("name", NAMES)
    def test_every_symbol_and_the_file_lead_to_their_service(self, name: str) -> None:
        snapshot = whole(*NAMES)
        service = snapshot.by_script(name)
        assert service is not None
        assert len(service.symbols) == 8
        for symbol in service.symbols:
            assert snapshot.by_symbol(symbol) is service
        assert snapshot.by_file(service.file_name) is service
        assert snapshot.services[service.full_name] is service

    @pytest.mark.parametrize(
        "symbol",
        [
            "",
            "loki.tools.v1",
            "loki.tools.v1.",
            "loki.tools.v1.NoSuchService",
            "loki.tools.v1.AverageServiceCallRequestCallResponse",
            "loki.tools.v1.AverageServiceCallRequest.n",
            "loki.tools.v1.AverageService.Calls",
            "loki.v1.LokiService",
            "AverageService",
        ],
    )
    def test_other_symbols_lead_nowhere(self, symbol: str) -> None:
        assert whole(*NAMES).by_symbol(symbol) is None

    @pytest.mark.parametrize(
        "file",
        [
            "",
            "loki/tools/v1/.proto",
            "average.proto",
            "loki/tools/v1/Average.proto",
            "loki/tools/v1/read2.proto",
            "loki/tools/v1/average",
        ],
    )
    def test_other_files_lead_nowhere(self, file: str) -> None:
        assert whole(*NAMES).by_file(file) is None

    def test_two_services_of_the_same_interface_differ(self) -> None:
        assert TypedService(interface("a")) != TypedService(interface("a"))


@pytest.mark.parametrize(
    ("principal", "seen", "called"),
    [
        (LOCAL, "AB", "AB"),
        (Principal("ann", frozenset({ClientRole.VIEW}), ("b*",)), "B", ""),
        (Principal("all", frozenset({ClientRole.VIEW})), "AB", ""),
        (Principal("run", frozenset({ClientRole.VIEW, ClientRole.EXECUTE}), ("a",)), "A", "A"),
        (Principal("bob", frozenset({ClientRole.EXECUTE})), "", "AB"),
        (NOBODY, "", ""),
    ],
)
def test_names_are_there_as_roles_reach(principal: Principal, seen: str, called: str) -> None:
    for may, there in ((may_see, seen), (may_run, called)):
        expected = [f"loki.tools.v1.{name}Service" for name in there]
        assert list(names_for(whole("a", "b"), principal, may)) == expected


@pytest.mark.parametrize(
    ("role", "revision", "method"),
    [
        (ClientRole.EXECUTE, "", "loki.tools.v1.AService/Call"),
        (ClientRole.EXECUTE, "r1", "loki.tools.v1.AService/Call"),
        (ClientRole.EXECUTE, "r0", ""),
        (ClientRole.VIEW, "", ""),
        (ClientRole.REGISTER, "", ""),
    ],
)
def test_a_method_is_named_to_whom_it_is_shown(
    role: ClientRole, revision: str, method: str
) -> None:
    caller = Principal("ann", frozenset({ClientRole.VIEW, role}))
    assert whole("a").method_of("a", caller, revision) == method


LIBRARY = Context(peer="library", peer_pid=1, kin=True, run="", trace="", deadline_s=None)
RUNNER = Context(peer="runner-1", peer_pid=2, kin=False, run="", trace="", deadline_s=None)


def publish(directory: Directory, news: PublishInterfaces, context: Context = LIBRARY) -> object:
    return directory.handlers()[PublishInterfaces](news, context)


class TestDirectory:
    def test_news_are_taken_told_and_answered(self, shell) -> None:
        directory = Directory(shell)
        told: list[dict[str, str]] = []
        directory.watch(lambda snapshot: told.append(revisions(snapshot)))
        directory.watch(lambda snapshot: told.append({"whole": str(snapshot.whole)}))
        news = PublishInterfaces(changed=(interface("a"),), complete=True)
        assert publish(directory, news) == Done()
        assert told == [{"a": "r1"}, {"whole": "True"}]
        assert revisions(directory.snapshot) == {"a": "r1"}

    def test_a_runner_publishes_nothing(self, shell) -> None:
        directory = Directory(shell)
        with pytest.raises(PermissionRefused):
            publish(directory, PublishInterfaces(changed=(interface("a"),)), RUNNER)
        assert directory.snapshot is EMPTY

    def test_it_asks_again_until_it_is_answered(self, shell) -> None:
        asked = 0

        def library(_request: SendInterfaces) -> Done:
            nonlocal asked
            asked += 1
            if asked < 3:
                raise ServiceUnavailable("not yet")
            done.set()
            return Done()

        async def ask() -> None:
            Directory(shell).begin(lambda: answers.append(asked))
            await done.wait()

        answers: list[int] = []
        done = asyncio.Event()
        shell.answers[SendInterfaces] = library
        asyncio.run(asyncio.wait_for(ask(), 60))
        assert answers == [1, 2, 3]

    def test_it_asks_a_library_that_comes_back_and_keeps_what_it_has(self, shell) -> None:
        directory = Directory(shell)
        publish(directory, PublishInterfaces(changed=(interface("a"),), complete=True))
        directory.lost("dispatcher")
        assert directory.snapshot.whole
        directory.lost("library")
        assert len(shell.sent(SendInterfaces)) == 1
        assert revisions(directory.snapshot) == {"a": "r1"}
        assert not directory.snapshot.whole
        publish(directory, PublishInterfaces(changed=(interface("b"),), complete=True))
        assert revisions(directory.snapshot) == {"b": "r1"}
        assert directory.snapshot.whole

    def test_it_asks_once_at_a_time(self, shell) -> None:
        shell.silent.add(SendInterfaces)
        directory = Directory(shell)
        directory.begin(lambda: None)
        directory.lost("library")
        assert len(shell.sent(SendInterfaces)) == 1
