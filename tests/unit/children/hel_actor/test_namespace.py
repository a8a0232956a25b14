"""Whose data a run works on."""

import pytest
from hel_actor.namespace import ADHOC, space
from hypothesis import given
from hypothesis import strategies as st

from loki.child import Run
from loki.core.name import NAME
from loki.errors import InvalidArgument


def run(script: str = "tool", declared_in: str = "tools.toml", share: str = "") -> Run:
    permissions = {"share": (share,)} if share else {}
    return Run("r1", script, "local", 1, declared_in, permissions)


def test_a_tool_has_its_own_and_ad_hoc_scripts_share_one() -> None:
    assert space(run()) == "tool"
    assert space(run(declared_in="")) == ADHOC


def test_tools_that_share_have_one_together() -> None:
    assert space(run("one", share="greenhouse")) == space(run("two", share="greenhouse"))
    assert space(run("one", share="greenhouse")) == space(run(declared_in="", share="greenhouse"))
    assert space(run("one", share="greenhouse")) != space(run("one", share="Greenhouse"))


@given(st.from_regex(NAME, fullmatch=True), st.from_regex(NAME, fullmatch=True))
def test_what_is_shared_is_never_a_tools_own(tool: str, shared: str) -> None:
    spaces = {space(run(tool)), space(run(tool, share=shared)), space(run(declared_in=""))}
    assert len(spaces) == 3
    assert not any("/" in each or each.startswith(".") for each in spaces)


@pytest.mark.parametrize("name", ["..", "a/b", "-adhoc", "a b", "1a", "a" * 65, "ä", "a\n"])
def test_what_is_no_name_is_never_a_directory(name: str) -> None:
    with pytest.raises(InvalidArgument, match="no name"):
        space(run(share=name))
