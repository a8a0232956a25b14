"""The examples hold what they promise: every tool is good, with the real children and compiler."""

from pathlib import Path

from loki import bootstrap
from loki.actors.library.toolbox import tools_of

EXAMPLES = Path(__file__).parents[2] / "examples"
TOOLS = {
    "average",
    "climate",
    "countdown",
    "counter",
    "fetch",
    "hello",
    "notebook",
    "report",
    "runaway",
    "trend",
}


def test_s_13_2_1_every_example_tool_passes_the_check() -> None:
    setup = bootstrap.load(EXAMPLES / "loki.toml", None)
    tools = tools_of(setup.library)
    assert tools.problems == ()
    assert {script.name for script in tools.scripts} == TOOLS


def test_s_13_2_1_the_lint_finds_nothing_in_the_examples() -> None:
    checked = bootstrap.check(bootstrap.load(EXAMPLES / "loki.toml", None))
    assert checked.problems == ()
    assert len(checked.reports) == len(TOOLS)
    assert [report for report in checked.reports if report.findings] == []
