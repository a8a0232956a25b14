"""Whose data a run works on."""

from hel_actor.namespace import ADHOC, space

from loki.child import Run


def test_a_tool_has_its_own_and_ad_hoc_scripts_share_one() -> None:
    assert space(Run("r1", "tool", "local", 1, "tools.toml")) == "tool"
    assert space(Run("r1", "tool", "local", 1, "")) == ADHOC
