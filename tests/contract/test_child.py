"""What every child must keep to, whoever wrote it: one suite, run against each folder."""

import asyncio
import importlib
import inspect
import logging
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loki.child import (
    Child,
    ChildRole,
    LuaFunction,
    LuaParameter,
    LuaType,
    PermissionShape,
    Run,
)
from loki.clock import SystemClock
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.messages.envelope import Done, Message, Request, reply_type
from tests.contract.watch import WATCH

ROOT = Path(__file__).parents[2]
DEFAULT = ("fenrir_actor", "jormungandr_actor", "hel_actor")
PACKAGES = sorted(
    {*DEFAULT, *(folder.parent.name for folder in ROOT.glob("children/*_actor/__init__.py"))}
)
CHILDREN = {package: importlib.import_module(package).CHILD for package in PACKAGES}
FUNCTIONS = [
    pytest.param(package, function, id=f"{child.name}:{function.name}")
    for package, child in CHILDREN.items()
    for function in child.module.functions
]

HEAVY = {"pydantic", "aiohttp", "sqlite3", "grpc", "lupa", "zarr", "numpy", "gpiod", "gmqtt"}
ANSWER_S = 10.0

SAMPLES_BY_TYPE: dict[LuaType, Any] = {
    LuaType.BOOLEAN: True,
    LuaType.INTEGER: 1,
    LuaType.NUMBER: 0.5,
    LuaType.STRING: "sample",
    LuaType.BYTES: "sample",
    LuaType.PIN: 17,
    LuaType.OBJECT: {},
    LuaType.ARRAY: [],
    LuaType.ANY: True,
}
SAMPLES_BY_PLACE: dict[tuple[str, str], Any] = {
    ("sensor_read", "id"): "t1",
    ("sensor_info", "id"): "t1",
    ("actuator_set", "id"): "led",
    ("storage_watch", "options"): {"since": 1},  # Never was, so that the call need not wait.
}


def sample(function: LuaFunction, parameter: LuaParameter) -> Any:
    """A value that the child must accept there, apart from permissions."""
    if parameter.name == "url":
        return "http://127.0.0.1:1/"
    place = (function.name, parameter.name)
    return SAMPLES_BY_PLACE.get(place, SAMPLES_BY_TYPE[parameter.type])


def message_of(package: str, function: LuaFunction) -> type[Message]:
    messages = importlib.import_module(f"{package}.messages")
    return getattr(messages, function.request)


def at(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def request_of(package: str, function: LuaFunction, arguments: dict[str, Any]) -> Message:
    """The request as a runner sends it."""
    body = msgspec.msgpack.encode({"type": function.request, **arguments})
    return msgspec.msgpack.decode(body, type=message_of(package, function))


class FakeTimer:
    def cancel(self) -> None: ...


class FakeShell:
    """Gives a role its worker threads; timers never fire and messages go nowhere."""

    previous = ""

    def __init__(self, name: str) -> None:
        self.name = name
        self.clock = SystemClock()
        self.log = logging.getLogger(f"contract.{name}")
        self.workers: list[ThreadPoolExecutor] = []
        self.minded: list[Future[Any]] = []

    def send(self, peer: str, message: Message, **_: Any) -> None: ...

    def request(self, peer: str, request: Message, then: Any, **_: Any) -> None: ...

    def later(self, delay_s: float, action: Callable[[], None]) -> FakeTimer:
        return FakeTimer()

    def worker(self, name: str) -> Executor:
        worker = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.workers.append(worker)
        return worker

    def mind(self, promise: Future[Any]) -> None:
        self.minded.append(promise)

    def close(self) -> None:
        """What a thread has begun it also ends; else it is left to whichever thread comes by."""
        wait([each for each in self.minded if isinstance(each, Future)], ANSWER_S)
        for worker in self.workers:
            worker.shutdown()


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def child(package: str) -> Child:
    return CHILDREN[package]


class Bench:
    """Roles built as their parent would, with the default settings."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._shells: list[FakeShell] = []

    def role(self, child: Child) -> ChildRole:
        shell = FakeShell(child.name)
        self._shells.append(shell)
        (self._state_dir / "run").mkdir(exist_ok=True)
        settings = at(child.config)().model_dump(mode="json")
        config = msgspec.msgpack.encode(settings | {"state_dir": str(self._state_dir)})
        return at(child.role)(shell, config)

    def close(self) -> None:
        for shell in self._shells:
            shell.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


class AnotherReason(Exception):
    """The call was permitted and failed all the same."""


async def answered(
    bench: Bench, package: str, function: LuaFunction, permissions: dict[str, tuple[str, ...]]
) -> Any:
    """What the handler answers a valid call of a run that holds `permissions`.

    Raises: PermissionRefused; AnotherReason for every other named error.
    """
    role = bench.role(CHILDREN[package])
    if role.asynchronous:
        await role.begin()
    arguments = {each.name: sample(function, each) for each in function.parameters}
    request = request_of(package, function, arguments)
    run = Run("r1", "tool", "local", 1, "tools.toml", permissions)
    try:
        with WATCH.on_this_thread():
            answer = role.calls()[type(request)](request, run)
        if isinstance(answer, Future):
            answer = await asyncio.wait_for(asyncio.wrap_future(answer), ANSWER_S)
        elif inspect.isawaitable(answer):
            answer = await asyncio.wait_for(answer, ANSWER_S)
    except PermissionRefused:
        raise
    except LokiError as error:
        raise AnotherReason(error) from error
    finally:
        role.release(run)
        if role.asynchronous:
            await role.drain(ANSWER_S)
        role.stop()
    return answer


def test_child_is_declared_under_its_package_name(package: str, child: Child) -> None:
    assert isinstance(child, Child)
    assert package == f"{child.name}_actor"
    assert child.module.child == child.module.name == child.name
    assert child.module.doc


def test_s_1_1_6_importing_a_child_imports_nothing_heavy(package: str) -> None:
    program = f"import sys, {package}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert package in done.stdout.split()
    assert not HEAVY & set(done.stdout.split())


def test_role_and_config_can_be_imported(child: Child) -> None:
    assert issubclass(at(child.role), ChildRole)
    assert at(child.config)().model_dump(mode="json") is not None


def test_config_refuses_keys_it_does_not_know(child: Child) -> None:
    with pytest.raises(ValueError, match="no_such_setting"):
        at(child.config).model_validate({"no_such_setting": 1})


def test_names_are_unique_and_sayable(child: Child) -> None:
    names = [function.name for function in child.module.functions]
    assert len(set(names)) == len(names)
    requests = [function.request for function in child.module.functions]
    assert len(set(requests)) == len(requests)
    keys = [key.name for key in child.module.permissions]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in [*names, *keys])


def test_permission_keys_are_documented_and_used(child: Child) -> None:
    used = {function.permission for function in child.module.functions} - {""}
    guarding = [k for k in child.module.permissions if k.shape is not PermissionShape.NAME]
    assert used == {key.name for key in guarding}  # A name says with whom, not whether.
    assert all(key.doc for key in child.module.permissions)


@pytest.mark.parametrize(("package", "function"), FUNCTIONS)
def test_function_is_documented(package: str, function: LuaFunction) -> None:
    assert function.doc.strip()
    assert all(parameter.doc.strip() for parameter in function.parameters)
    names = [parameter.name for parameter in function.parameters]
    assert len(set(names)) == len(names)
    needs = [parameter.required for parameter in function.parameters]
    assert needs == sorted(needs, reverse=True), "optional parameters come last"


@pytest.mark.parametrize(("package", "function"), FUNCTIONS)
def test_parameters_are_the_fields_of_the_request(package: str, function: LuaFunction) -> None:
    message = message_of(package, function)
    fields = {each.encode_name: each.required for each in msgspec.structs.fields(message)}
    assert {each.name: each.required for each in function.parameters} == fields


@pytest.mark.parametrize(("package", "function"), FUNCTIONS)
def test_arguments_of_the_declared_types_are_taken(package: str, function: LuaFunction) -> None:
    arguments = {each.name: sample(function, each) for each in function.parameters}
    request_of(package, function, arguments)
    required = {each.name for each in function.parameters if each.required}
    only_required = {name: value for name, value in arguments.items() if name in required}
    request_of(package, function, only_required)
    # A script may write nil for what it leaves out.
    request_of(package, function, dict.fromkeys(arguments) | only_required)


@pytest.mark.parametrize(
    ("package", "function"),
    [
        each
        for each in FUNCTIONS
        if any(parameter.type is LuaType.BYTES for parameter in each.values[1].parameters)
    ],
)
def test_byte_parameters_take_text_and_bytes(package: str, function: LuaFunction) -> None:
    for value in ("text", b"\xff\x00"):
        arguments = {
            each.name: value if each.type is LuaType.BYTES else sample(function, each)
            for each in function.parameters
        }
        request_of(package, function, arguments)


@pytest.mark.parametrize(("package", "function"), FUNCTIONS)
def test_request_declares_the_reply_that_the_function_returns(
    package: str, function: LuaFunction
) -> None:
    message = message_of(package, function)
    assert issubclass(message, Request)
    assert message.__struct_config__.tag == function.request
    reply = reply_type(message)
    assert (reply is Done) == (function.returns is LuaType.NOTHING)
    assert reply is Done or msgspec.structs.fields(reply)


def test_role_handles_every_function_and_nothing_else(
    package: str, child: Child, bench: Bench
) -> None:
    async def handled() -> set[type[Message]]:
        role = bench.role(child)
        calls = set(role.calls())
        role.stop()
        return calls

    declared = {message_of(package, function) for function in child.module.functions}
    assert asyncio.run(handled()) == declared


GUARDED = [each for each in FUNCTIONS if each.values[1].permission]


@pytest.mark.parametrize(("package", "function"), GUARDED)
def test_call_without_permission_is_refused_with_the_line_that_allows_it(
    package: str, function: LuaFunction, bench: Bench
) -> None:
    with pytest.raises(PermissionRefused) as refused:
        asyncio.run(answered(bench, package, function, {}))

    error = refused.value
    assert error.code is ErrorCode.SCRIPT_PERMISSION
    assert error.details["permission"] == function.permission
    assert error.details["allow_with"] in error.message
    assert is_written_as(shape_of(package, function), allowed_by(error)[function.permission])


@pytest.mark.parametrize(("package", "function"), GUARDED)
def test_the_line_that_a_refusal_names_allows_the_call(
    package: str, function: LuaFunction, bench: Bench
) -> None:
    with pytest.raises(PermissionRefused) as refused:
        asyncio.run(answered(bench, package, function, {}))
    granted = as_permissions(allowed_by(refused.value))
    # It may fail for another reason, such as a missing file.
    with suppress(AnotherReason):
        asyncio.run(answered(bench, package, function, granted))


ALLOWED = {
    PermissionShape.LIST: ("*", "http://127.0.0.1:*/"),
    PermissionShape.FLAG: ("*",),
    PermissionShape.MODE: ("rw",),
    PermissionShape.NAME: ("sample",),
}


@pytest.mark.parametrize(("package", "function"), FUNCTIONS)
def test_a_call_leaves_what_may_block_to_another_thread(
    package: str, function: LuaFunction, bench: Bench
) -> None:
    """S-7.1.1, S-8.1.1: the mailbox answers heartbeats meanwhile."""
    keys = CHILDREN[package].module.permissions
    with suppress(AnotherReason):
        asyncio.run(answered(bench, package, function, {k.name: ALLOWED[k.shape] for k in keys}))
    assert WATCH.seen == []


def allowed_by(refused: PermissionRefused) -> dict[str, Any]:
    return tomllib.loads(refused.details["allow_with"])


def shape_of(package: str, function: LuaFunction) -> PermissionShape:
    keys = {key.name: key.shape for key in CHILDREN[package].module.permissions}
    return keys[function.permission]


def is_written_as(shape: PermissionShape, value: object) -> bool:
    match shape:
        case PermissionShape.LIST:
            return isinstance(value, list) and bool(value)
        case PermissionShape.FLAG:
            return value is True
        case PermissionShape.MODE:
            return value in ("r", "rw")
        case PermissionShape.NAME:
            return isinstance(value, str)


def as_permissions(toml: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """How a manifest's entry reaches a child."""

    def entry(value: Any) -> tuple[str, ...]:
        if value is True:
            return ("*",)
        return tuple(map(str, value)) if isinstance(value, list) else (value,)

    return {key: entry(value) for key, value in toml.items()}
