"""What a runner is sent, and that the next run is always one of the present revision."""

import msgspec
import pytest

from loki.core.runner.script_table import FORMER_CHARACTERS, MOST_FORMER, ScriptTable
from loki.errors import ScriptNotFound, ServiceUnavailable
from loki.messages.execution import CompiledScript, SubmitRun
from loki.messages.library import PublishScripts
from loki.messages.lua_module import LuaModule
from loki.messages.script import Origin, Script
from loki.messages.value import NIL, Packed

BOARD = LuaModule(name="board", child="board_child", doc="", functions=())


def script(revision: str, origin: Origin = Origin.FILE) -> Script:
    source = f"return board:read('{revision}')"
    return Script(name="a", source=source, chunk="a", revision=revision, origin=origin)


def table(*scripts: Script) -> ScriptTable:
    made = ScriptTable((BOARD,), 10)
    bytecode = {each.revision: each.revision.encode() for each in scripts}
    made.published(PublishScripts(changed=scripts, bytecode=bytecode))
    return made


def test_a_script_that_may_still_come_is_not_denied() -> None:
    """A Dispatcher that was killed begins with none; the Library sends them in parts."""
    scripts = table()
    with pytest.raises(ServiceUnavailable, match=r"'a' is not among .* try again.*`loki doctor`"):
        scripts.find("a")
    scripts.published(PublishScripts(changed=(script("r1"),)))
    assert scripts.find("a") == script("r1")
    with pytest.raises(ServiceUnavailable):
        scripts.find("b")
    scripts.published(PublishScripts(complete=True, others=("a",)))
    assert scripts.find("a", "r1") == script("r1")
    with pytest.raises(ScriptNotFound):
        scripts.find("b")


def opened(packed: Packed) -> CompiledScript:
    return msgspec.msgpack.decode(packed, type=CompiledScript)


def test_s_11_1_1_a_runner_gets_a_script_once_and_compiled() -> None:
    scripts = table(script("r1"))
    known = scripts.know(script("r1"))
    assert known.children == ("board_child",)
    sent = opened(scripts.packed_for("one", known))
    assert sent == CompiledScript(script=script("r1"), bytecode=b"r1")
    assert scripts.packed_for("one", known) == NIL
    assert scripts.packed_for("two", known) != NIL
    scripts.runner_ended("one")
    assert scripts.packed_for("one", known) != NIL
    assert scripts.statistics().compiles == 1


def test_s_11_1_2_a_new_revision_is_sent_at_once_and_an_old_one_still_runs() -> None:
    scripts = table(script("r1"))
    old = scripts.know(script("r1"))
    scripts.packed_for("one", old)
    scripts.published(PublishScripts(changed=(script("r2"),), bytecode={"r2": b"r2"}))
    assert opened(scripts.packed_for("one", scripts.know(scripts.scripts["a"]))).bytecode == b"r2"
    assert scripts.packed_for("one", scripts.know(script("r1"))) == NIL
    assert opened(scripts.packed_for("two", scripts.know(script("r1")))).script == script("r1")


def test_s_11_1_2_what_is_published_again_is_not_compiled_again() -> None:
    scripts = table(script("r1"))
    scripts.published(
        PublishScripts(changed=(script("r1"),), complete=True, bytecode={"r1": b"r1"})
    )
    assert scripts.statistics().compiles == 1
    scripts.published(PublishScripts(complete=True))
    assert scripts.scripts == {}


def test_s_11_1_2_only_what_changed_is_looked_at_again() -> None:
    """Registering one among ten thousand takes no longer than among ten."""
    other = msgspec.structs.replace(script("x1"), name="x")
    scripts = table(script("r1"), other)
    before, known = scripts.scripts, scripts.know(other)
    scripts.published(PublishScripts(changed=(script("r2"),), bytecode={"r2": b"r2"}))
    assert scripts.scripts is before
    assert scripts.know(other) is known
    assert scripts.scripts == {"a": script("r2"), "x": other}
    described = msgspec.structs.replace(other, description="words")
    scripts.published(PublishScripts(changed=(described,)))
    assert opened(scripts.know(described).packed).script == described
    assert opened(scripts.know(described).packed).bytecode == b"x1"
    scripts.published(PublishScripts(removed=("x",)))
    assert scripts._bytecode == {"r2": b"r2"}
    assert scripts._known == {}


def test_what_is_sent_along_with_one_execution_is_not_kept() -> None:
    scripts = table()
    adhoc = scripts.know(script("adhoc-1", Origin.ADHOC))
    assert opened(scripts.packed_for("one", adhoc)).bytecode == b""
    assert scripts.packed_for("one", adhoc) != NIL
    assert scripts.statistics().compiles == 2


def typed(revision: str, *, former: bool = True) -> SubmitRun:
    return SubmitRun(run="1", principal="local", script="a", revision=revision, former=former)


class TestFormerRevisions:
    def test_a_call_that_was_under_way_gets_the_revision_it_names(self) -> None:
        scripts = table(script("r1"))
        scripts.published(PublishScripts(changed=(script("r2"),)))
        assert scripts.find_for(typed("r1")) == script("r1")
        assert scripts.find_for(typed("r2")) == script("r2")
        assert scripts.find_for(typed("")) == script("r2")
        with pytest.raises(ScriptNotFound, match="has revision r2, not r0"):
            scripts.find_for(typed("r0"))

    def test_others_get_the_present_one_only(self) -> None:
        scripts = table(script("r1"))
        scripts.published(PublishScripts(changed=(script("r2"),)))
        with pytest.raises(ScriptNotFound):
            scripts.find_for(typed("r1", former=False))

    def test_a_script_that_was_removed_has_none(self) -> None:
        scripts = table(script("r1"))
        scripts.published(PublishScripts(changed=(script("r2"),), complete=True))
        scripts.published(PublishScripts(removed=("a",)))
        for revision in "r1", "r2":
            with pytest.raises(ScriptNotFound):
                scripts.find_for(typed(revision))

    def test_one_of_another_name_is_not_it(self) -> None:
        scripts = table(script("r1"), msgspec.structs.replace(script("x1"), name="x"))
        scripts.published(
            PublishScripts(changed=(msgspec.structs.replace(script("x2"), name="x"),))
        )
        with pytest.raises(ScriptNotFound):
            scripts.find_for(typed("x1"))

    def test_the_oldest_are_forgotten(self) -> None:
        scripts = table(script("0"))
        for number in range(1, MOST_FORMER + 2):
            scripts.published(PublishScripts(changed=(script(str(number)),)))
        assert scripts.find_for(typed("1")) == script("1")
        with pytest.raises(ScriptNotFound):
            scripts.find_for(typed("0"))

    def test_long_sources_are_forgotten_earlier(self) -> None:
        long = msgspec.structs.replace(script("r1"), source=" " * FORMER_CHARACTERS)
        scripts = table(long)
        scripts.published(PublishScripts(changed=(script("r2"),)))
        assert scripts.find_for(typed("r1")) == long
        scripts.published(PublishScripts(changed=(script("r3"),)))
        with pytest.raises(ScriptNotFound):
            scripts.find_for(typed("r1"))
        assert scripts.find_for(typed("r2")) == script("r2")

    def test_a_revision_that_is_back_is_the_present_one(self) -> None:
        scripts = table(script("r1"))
        for revision in "r2", "r1":
            scripts.published(PublishScripts(changed=(script(revision),)))
        assert scripts.find_for(typed("r1")) is scripts.find("a")
