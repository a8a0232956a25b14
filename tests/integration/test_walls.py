"""Each wall alone, and all of them together, as a process behind them sees them."""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loki.actors.runner import kernel

HERE = Path(__file__).parent
TIMEOUT_S = 30.0
NOBODY = 65534
REACHED = {"execute": "ENOENT"}  # There is no such program: that is how far it comes.
HARMLESS = {"reach_lane": "", "bound_cpu": ""}

UIDS = (0, NOBODY) if os.getuid() == 0 else (os.getuid(),)
as_everyone = pytest.mark.parametrize("uid", UIDS)

Report = dict[str, Any]
Try = Callable[..., Report]


def abi() -> int:
    try:
        return kernel.landlock_version()
    except OSError:
        return 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where another user gets in, too."""
    with tempfile.TemporaryDirectory(prefix="loki-walls-") as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def listeners(folder: Path) -> Iterator[dict[str, object]]:
    """What a process should not reach: a port, and two sockets that have names."""
    abstract = f"loki-{secrets.token_hex(8)}"
    named = folder / "outside"
    with (
        socket.socket() as tcp,
        socket.socket(socket.AF_UNIX) as a,
        socket.socket(socket.AF_UNIX) as n,
    ):
        tcp.bind(("127.0.0.1", 0))
        a.bind("\0" + abstract)
        n.bind(str(named))
        named.chmod(0o777)
        for listener in (tcp, a, n):
            listener.listen()
        yield {"port": tcp.getsockname()[1], "abstract": abstract, "named": str(named)}


@pytest.fixture
def attempt(folder: Path, listeners: dict[str, object]) -> Iterator[Try]:
    """`attempt(uid, "landlock")`: what was possible before and after."""
    run_dir = folder / "run"
    run_dir.mkdir()
    file = folder / "file"
    file.touch(0o666)
    file.chmod(0o666)
    reader, writer = os.pipe()
    life, end = os.pipe()
    victims: list[int] = []

    def run(uid: int, *names: str) -> Report:
        os.chown(run_dir, uid, -1)
        given = listeners | {"file": str(file), "inherited": writer, "life": life}
        done = subprocess.run(
            [
                sys.executable,
                str(HERE / "walled_process.py"),
                str(run_dir),
                str(uid),
                ",".join(names),
                json.dumps(given),
            ],
            env=os.environ | {"SECRET": "5ecret"},
            pass_fds=(writer, life),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        report: Report = json.loads(done.stderr.splitlines()[-1])
        victims.append(report.pop("victim"))
        possible = {name: REACHED.get(name, "") for name in report["before"]}
        if uid:
            possible["change_groups"] = "EPERM"
        assert report["before"] == possible
        return report

    yield run
    for descriptor in (reader, writer, life, end):
        os.close(descriptor)
    for victim in victims:
        os.waitpid(victim, 0)


def refused(report: Report, when: str = "after") -> dict[str, str]:
    """What was possible before, and how it is refused."""
    before = report["before"]
    return {name: how for name, how in report[when].items() if how != before[name]}


@as_everyone
def test_secrets(attempt: Try, uid: int) -> None:
    assert refused(attempt(uid, "secrets")) == {"find_secret": "ENOENT"}


@as_everyone
def test_inherited_descriptors(attempt: Try, uid: int) -> None:
    assert refused(attempt(uid, "descriptors")) == {"use_inherited": "EBADF"}


@as_everyone
def test_root_directory(attempt: Try, uid: int) -> None:
    report = attempt(uid, "root directory")
    if report["missing"]:
        pytest.skip(f"needs user namespaces: {report['missing']}")
    gone = dict.fromkeys(("read_file", "grow_file", "connect_named"), "ENOENT")
    assert gone.items() <= refused(report).items()
    assert not report["after"]["die_with_parent"]


def test_capabilities(attempt: Try, need: Callable[..., None]) -> None:
    need("root", "others have no capabilities to drop", here=os.getuid() == 0)
    gone = dict.fromkeys(("change_groups", "read_memory"), "EPERM")  # The other one has some.
    assert refused(attempt(0, "capabilities")) == gone


@as_everyone
def test_landlock(attempt: Try, uid: int, need: Callable[..., None]) -> None:
    need("landlock", "this kernel has none", here=abi() > 0)
    expected = dict.fromkeys(("read_file", "grow_file"), "EACCES") | {"read_memory": "EPERM"}
    if abi() >= kernel.NETWORK_SINCE:
        expected |= dict.fromkeys(("connect_tcp", "bind_tcp"), "EACCES")
    if abi() >= kernel.SCOPES_SINCE:
        expected |= dict.fromkeys(("connect_abstract", "signal_other"), "EPERM")
    assert refused(attempt(uid, "privileges", "landlock")) == expected


@as_everyone
def test_limits(attempt: Try, uid: int) -> None:
    expected = {"take_memory": "ENOMEM", "open_many": "EMFILE", "grow_file": "EFBIG"}
    if uid:
        expected |= {"fork": "EAGAIN", "start_thread": "EAGAIN"}
    assert refused(attempt(uid, "limits")) == expected


@as_everyone
def test_system_calls(attempt: Try, uid: int, need: Callable[..., None]) -> None:
    need("seccomp filter", "Loki has none here", here=kernel.machine() in kernel.SECCOMP_NUMBER)
    report = attempt(uid, "privileges", "system calls")
    kept = {"take_memory", "find_secret", "use_inherited", "connect_named", "connect_abstract"}
    assert report["before"].keys() - refused(report).keys() == kept | HARMLESS.keys() | (
        {"change_groups"} if uid else set()
    )
    assert set(refused(report).values()) == {"EPERM", "EAGAIN"}


@as_everyone
def test_behind_all_walls_only_lanes_and_the_own_limit_are_left(attempt: Try, uid: int) -> None:
    report = attempt(uid, "all")
    if report["missing"]:
        pytest.skip(f"needs a kernel with every wall: {report['missing']}")
    for thread in ("after", "thread"):
        left = {name for name, how in report[thread].items() if not how}
        assert left == HARMLESS.keys()
