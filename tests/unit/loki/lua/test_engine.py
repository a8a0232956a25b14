"""The engine port: Lua and the fake behave alike, and each language finds its engine."""

import pytest

import loki.lua
from loki.core.run.engine import Call, Engine, Failed, Finished, Session
from loki.core.run.fake_engine import FakeEngine, Raised
from loki.errors import CompilationError, ErrorCode, InvalidArgument
from loki.lua import engine_for
from loki.lua.engine import MAX_SOURCE_BYTES, LuaEngine
from loki.messages.lua_module import LuaFunction, LuaModule, LuaParameter, LuaType
from loki.messages.script import Script

DOOR = LuaModule(
    name="door",
    child="door",
    doc="",
    functions=(
        LuaFunction(
            name="open",
            request="Open",
            parameters=(LuaParameter(name="width", type=LuaType.INTEGER, doc=""),),
            doc="",
        ),
    ),
)
ONE_CALL = "print('opening') return door:open(3)"


def fake() -> Engine:
    return FakeEngine(
        {"return 5": (Finished(5),), ONE_CALL: (Call("door", "open", {"width": 3}), Finished(7))},
        {ONE_CALL: "opening\n"},
    )


def script(source: str) -> Script:
    return Script(name="s", source=source, chunk="s.lua")


@pytest.fixture(params=["lua", "fake"])
def either(request: pytest.FixtureRequest) -> Engine:
    return engine_for("lua", (DOOR,)) if request.param == "lua" else fake()


@pytest.fixture
def session(either: Engine) -> Session:
    return either.prepare()


def test_s_4_1_1_validate_accepts_and_refuses(either):
    either.validate(script("return 5"))
    with pytest.raises(CompilationError) as caught:
        either.validate(script("return return"))
    assert caught.value.code is ErrorCode.SCRIPT_INVALID
    assert caught.value.details["line"] == "1"
    assert caught.value.message.startswith("s.lua:1: ")


def test_s_4_1_1_a_run_in_steps(session):
    assert session.start(script(ONE_CALL), {}) == Call("door", "open", {"width": 3})
    assert session.take_output() == "opening\n"
    assert session.take_output() == ""
    assert session.resume(7) == Finished(7)
    assert session.memory_bytes >= 0
    with pytest.raises(RuntimeError, match="over"):
        session.resume(None)
    session.close()


def test_s_4_1_1_a_failed_call_ends_a_run_that_does_not_catch_it():
    for engine in (engine_for("lua", (DOOR,)), FakeEngine({ONE_CALL: (Call("door", "open", {}),)})):
        session = engine.prepare()
        session.start(script(ONE_CALL), {})
        end = session.fail(ErrorCode.CHILD_DOWN, "door is down", {"child": "door"})
        assert isinstance(end, Failed)
        assert end.code is ErrorCode.CHILD_DOWN
        assert ("child", "door") in end.details


def test_the_fake_keeps_what_it_was_told():
    engine = FakeEngine({"s": (Call("a", "b", {}), Call("a", "b", {}), Finished(1))})
    session = engine.prepare()
    session.start(script("s"), {"x": 1})
    session.resume(5)
    session.fail(ErrorCode.IO, "gone", {})
    session.close()
    assert engine.sessions == [session]
    assert session.arguments == {"x": 1}
    assert session.answers == [5, Raised(ErrorCode.IO, "gone", {})]
    assert session.closed


def test_s_4_1_2_languages_are_found_by_name():
    assert isinstance(engine_for("lua", ()), LuaEngine)
    with pytest.raises(InvalidArgument, match="no engine runs the language 'cobol'; known: lua"):
        engine_for("cobol", ())


def test_s_4_1_2_a_further_language_is_one_more_entry(monkeypatch):
    monkeypatch.setitem(loki.lua.ENGINES, "fake", lambda _modules: fake())
    assert engine_for("fake", ()).language == "fake"


def test_s_3_1_5_validate_compiles_and_does_not_execute(engine):
    engine.validate(script("while true do end"))
    engine.validate(script("error('now')"))


@pytest.mark.parametrize(
    ("source", "line", "text", "shown"),
    [
        ("local x = 1\nlocal y = = 2\n", "2", "unexpected symbol near '='", "local y = = 2"),
        ("return 1\n\n\n)", "4", "<eof> expected near ')'", ")"),
        ("x = 'open", "1", "unfinished string", "x = 'open"),
        ("goto nowhere", "1", "no visible label 'nowhere'", "goto nowhere"),
        ("local x <const> = 1\nx = 2", "2", "attempt to assign to const variable 'x'", "x = 2"),
        ("\x1bLua", "1", "unexpected symbol", "\x1bLua"),
        ("if true then\n", "2", "'end' expected", ""),
    ],
)
def test_s_4_1_1_a_refusal_shows_file_line_and_source(engine, source, line, text, shown):
    with pytest.raises(CompilationError) as caught:
        engine.validate(script(source))
    first, _, second = caught.value.message.partition("\n")
    assert first.startswith(f"s.lua:{line}: ")
    assert text in first
    assert second.strip() == shown.strip()
    assert caught.value.details["line"] == line
    assert caught.value.details.get("source_line", "") == shown.strip()


def test_s_11_1_1_bytecode_runs_without_its_source(either):
    bytecode = either.compile(script("return 5"))
    session = either.prepare()
    if isinstance(either, FakeEngine):
        assert session.start(script("return 5"), {}, bytecode) == Finished(5)
        assert session.bytecode == bytecode
    else:
        assert session.start(script("this is no Lua"), {}, bytecode) == Finished(5)


def test_s_11_1_1_bytecode_behaves_as_its_source_does(engine):
    source = """local n = 0
    for i = 1, 3 do n = n + i end
    print(n, params.x, _G == _ENV, rawget(_G, 'debug'))
    local function deep() error('boom') end
    deep()"""
    compiled = engine.prepare()
    fresh = engine.prepare()
    ends = [
        compiled.start(script(source), {"x": 7}, engine.compile(script(source))),
        fresh.start(script(source), {"x": 7}),
    ]
    assert ends[0] == ends[1]
    assert (ends[0].line, ends[0].message) == (4, "s.lua:4: boom")
    assert compiled.take_output() == fresh.take_output() == "6\t7\ttrue\tnil\n"


def test_a_source_that_is_bytecode_is_never_loaded_as_such(engine):
    bytecode = engine.compile(script("return 5"))
    end = engine.prepare().start(script(bytecode.decode("latin-1")), {})
    assert end.code is ErrorCode.SCRIPT_INVALID


def test_huge_sources_are_refused_before_they_are_compiled(engine):
    with pytest.raises(CompilationError, match="larger than 1024 KiB"):
        engine.validate(script("-" * (MAX_SOURCE_BYTES + 1)))


def test_many_are_compiled_as_each_is_alone(either):
    sources = ["return 5", "return return", "return 5"]

    def compiled(compile_one, source):
        try:
            return compile_one(script(source))
        except CompilationError as error:
            return error.message

    with either.compiling() as compile_one:
        together = [compiled(compile_one, source) for source in sources]
    assert together == [compiled(either.compile, source) for source in sources]
