"""The shape of the source tree: what stands where, how long it may be, what it may not say."""

import ast
import graphlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
GENERATED = ("loki/v1/", "tests/e2e/node/package-lock.json")
PACKAGES = ("loki", "fenrir_actor", "jormungandr_actor", "hel_actor")
MOST_LINES = 400
MOST_FUNCTION_LINES = 40
CODE = {".py", ".lua", ".js", ".proto", ".sh", ".toml", ".md"}

COVERED_ELSEWHERE = {
    "children/fenrir_actor/page.py": "tests/unit/children/fenrir_actor/simulated/test_memory.py",
    "children/fenrir_actor/simulated/board.py": "tests/contract/test_hardware.py",
    "children/hel_actor/backup/links.py": "tests/unit/children/hel_actor/backup/test_snapshot.py",
    "loki/__main__.py": "tests/e2e/test_cli.py",
    "loki/actors/dispatcher/admission.py": "tests/e2e/test_settings_change.py",
    "loki/actors/dispatcher/dispatcher.py": "tests/e2e/test_kill.py",
    "loki/actors/dispatcher/calls.py": "tests/e2e/test_call.py",
    "loki/actors/start/keeper.py": "tests/e2e/test_reboot.py",
    "loki/actors/dispatcher/crew.py": "tests/e2e/test_kill.py",
    "loki/actors/runner/kernel.py": "tests/integration/test_walls.py",
    "loki/actors/door/payload.py": "tests/unit/loki/actors/door/test_door.py",
    "loki/actors/door/peer.py": "tests/unit/loki/actors/door/test_lane_exchange.py",
    "loki/actors/door/request.py": "tests/unit/loki/actors/door/test_door_request.py",
    "loki/actors/door/run_directory.py": "tests/unit/loki/actors/door/test_lane_exchange.py",
    "loki/actors/dispatcher/runner_watch.py": "tests/e2e/test_degraded.py",
    "loki/actors/runner/runner.py": "tests/e2e/test_bad_input.py",
    "loki/actors/base/shell.py": "tests/integration/test_lane_kills.py",
    "loki/actors/runner/steps.py": "tests/e2e/test_call.py",
    "loki/actors/tree/supervisor.py": "tests/integration/test_supervisor.py",
    "loki/actors/door/role.py": "tests/unit/loki/actors/library/test_library.py",
    "loki/actors/tree/root.py": "tests/e2e/test_reboot.py",
    "loki/actors/start/system.py": "tests/integration/test_lane_kills.py",
    "loki/actors/runner/walls.py": "tests/integration/test_walls.py",
    "loki/cli/connection.py": "tests/e2e/test_cli.py",
    "loki/cli/flag.py": "tests/unit/loki/cli/test_app.py",
    "loki/cli/page.py": "tests/unit/loki/cli/test_demo.py",
    "loki/cli/tls_folder.py": "tests/unit/loki/cli/test_init_tls.py",
    "loki/client/async_client.py": "tests/e2e/test_tools.py",
    "loki/client/async_series.py": "tests/e2e/test_series.py",
    "loki/client/async_stream.py": "tests/e2e/test_tools.py",
    "loki/client/async_tools.py": "tests/e2e/test_tools.py",
    "loki/client/backup.py": "tests/unit/loki/grpc_gateway/service/test_backup.py",
    "loki/client/file_pool.py": "tests/unit/loki/client/test_schema.py",
    "loki/client/tools.py": "tests/e2e/test_tools.py",
    "loki/client/error.py": "tests/unit/loki/client/test_client.py",
    "loki/client/event.py": "tests/unit/loki/client/test_client.py",
    "loki/client/record.py": "tests/unit/loki/client/test_client.py",
    "loki/client/revision.py": "tests/unit/loki/client/test_client.py",
    "loki/client/settings.py": "tests/unit/loki/grpc_gateway/service/test_settings.py",
    "loki/client/server_stream.py": "tests/unit/loki/client/test_client.py",
    "loki/client/stream.py": "tests/unit/loki/client/test_client.py",
    "loki/client/system_event.py": "tests/unit/loki/client/test_watch.py",
    "loki/core/supervisor/request.py": "tests/unit/loki/core/supervisor/test_supervision.py",
    "loki/core/supervisor/state.py": "tests/unit/loki/core/supervisor/test_supervision.py",
    "loki/core/run/fake_engine.py": "tests/unit/loki/lua/test_engine.py",
    "loki/grpc_gateway/service/children.py": "tests/e2e/test_degraded.py",
    "loki/grpc_gateway/convert/settings.py": "tests/e2e/test_settings_update.py",
    "loki/lua/__init__.py": "tests/unit/loki/lua/test_engine.py",
    "loki/lua/builtin.py": "tests/unit/loki/lua/test_script.py",
    "loki/lua/sandbox.py": "tests/unit/loki/lua/test_walls.py",
}
"""Modules whose decisions show only through others, and the tests that see them there."""

NO_ONE_MODULE = {
    "tests/unit/loki/lua/test_abuse.py": "the whole engine against hostile scripts",
    "tests/unit/loki/lua/test_conformance.py": "the whole engine against plain Lua",
    "tests/unit/loki/lua/test_fuzz.py": "the whole engine against random attacks",
    "tests/unit/loki/lua/test_library.py": "library.lua",
    "tests/unit/loki/lua/test_module.py": "module.lua",
    "tests/unit/loki/lua/test_script_memory.py": "protected calls in prelude.lua",
    "tests/unit/loki/lua/test_together.py": "together.lua",
    "tests/unit/loki/lua/test_together_wait.py": "together.lua",
    "tests/unit/loki/lua/test_walls.py": "the whole engine against attempts to break out",
}

DECISIONS = (ast.If, ast.Match, ast.IfExp, ast.While, ast.Try, ast.BoolOp, ast.Compare)
FORBIDDEN = {
    "a place on the machine of who wrote it": re.compile(
        rf"{re.escape(str(ROOT))}|/home/\w+/|/Users/\w+/"
    ),
    "something left to do": re.compile(r"\b(?:TODO|FIXME|XXX)\b"),
    "a ticket": re.compile(r"\b(?:[Ii]ssue|[Tt]icket|[Pp]ull request|PR) ?#?\d+"),
    "who or what wrote it": re.compile(
        r"\b(?:language model|copilot|chatbot|AI assistant|coding agent)\b", re.IGNORECASE
    ),
}


def files() -> list[str]:
    """What belongs to the project, from its top; generated files are left out."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        names = done.stdout.splitlines()
    else:  # A copy without its history.
        places = ("loki", "children", "tests", "docs", "examples", "benchmarks", "proto")
        names = [str(p.relative_to(ROOT)) for top in places for p in (ROOT / top).rglob("*.*")]
    return [
        name
        for name in names
        if (ROOT / name).is_file()
        and not name.startswith(GENERATED)
        and "node_modules" not in name
        and "__pycache__" not in name
    ]


FILES = files()
MODULES = [n for n in FILES if n.startswith(("loki/", "children/")) and n.endswith(".py")]
UNIT_TESTS = [n for n in FILES if re.match(r"tests/unit/.*/test_\w+\.py", n)]


def functions(name: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse((ROOT / name).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def decides(name: str) -> bool:
    return any(
        isinstance(node, DECISIONS) for function in functions(name) for node in ast.walk(function)
    )


def subject(test: str) -> str | None:
    """The module that tests/unit/a/test_b_c.py is about: a/b_c.py, or a/b.py."""
    folder, _, file = test.removeprefix("tests/unit/").rpartition("/")
    words = file.removeprefix("test_").removesuffix(".py").split("_")
    for end in range(len(words), 0, -1):
        stem = "_".join(words[:end])
        module = f"{folder}/{'__init__' if stem == 'init' else stem}.py"
        if (ROOT / module).exists():
            return module
    return None


def test_every_module_that_decides_something_has_its_tests() -> None:
    tested = {subject(test) for test in UNIT_TESTS} | COVERED_ELSEWHERE.keys()
    assert [name for name in MODULES if decides(name) and name not in tested] == []


def test_every_unit_test_stands_where_its_module_does() -> None:
    assert [t for t in UNIT_TESTS if subject(t) is None and t not in NO_ONE_MODULE] == []


def test_the_exceptions_are_needed_and_true() -> None:
    tested = {subject(test) for test in UNIT_TESTS}
    for module, test in COVERED_ELSEWHERE.items():
        assert decides(module), f"{module} has nothing to test any more"
        assert (ROOT / test).exists(), test
        assert module not in tested, f"{module} has tests of its own by now"
    assert all((ROOT / test).exists() for test in NO_ONE_MODULE)


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    sizes = {n: len((ROOT / n).read_text().splitlines()) for n in FILES if Path(n).suffix in CODE}
    assert {name for name, lines in sizes.items() if lines > MOST_LINES} == set()


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{name}:{function.name}": lines
        for name in MODULES
        for function in functions(name)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > MOST_FUNCTION_LINES
    }
    assert long == {}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_project_speaks_of_itself_alone(what: str) -> None:
    here = str(Path(__file__).relative_to(ROOT))
    texts = {n: (ROOT / n).read_text() for n in FILES if Path(n).suffix in CODE and n != here}
    assert len(texts) > 200
    assert [name for name, text in texts.items() if FORBIDDEN[what].search(text)] == []


def test_s_1_1_1_no_module_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph(
        PACKAGES[0], *PACKAGES[1:], exclude_type_checking_imports=True, cache_dir=None
    )
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert len(imports) > 100
    graphlib.TopologicalSorter(imports).prepare()  # Raises: CycleError, which names them.


@pytest.mark.parametrize("package", PACKAGES)
def test_s_1_1_1_each_package_imports_alone(package: str) -> None:
    code = f"import json, sys, {package}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded & set(PACKAGES) <= {package, "loki"}
    assert not loaded & {"grpc", "thespian", "aiohttp", "zarr", "numpy"}


def test_the_lock_of_the_node_clients_is_good_for_any_registry() -> None:
    lock = json.loads((ROOT / "tests/e2e/node/package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
