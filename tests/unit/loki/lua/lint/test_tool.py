"""Calls of tools by name: whether the tool is there, may be called, and gets its arguments."""

import pytest

from loki.lua.lint import Contract, lint
from loki.messages.script import Parameter, Script, ValueType
from loki.messages.value import pack
from tests.unit.loki.lua.lint.conftest import MODULES, tool

PARAMETERS = (
    Parameter(name="sensor", type=ValueType.STRING),
    Parameter(
        name="n", type=ValueType.INTEGER, required=False, default=pack(3), minimum=1, maximum=9
    ),
    Parameter(name="options", type=ValueType.OBJECT, required=False),
)
TOOLS = {
    "average": Script(name="average", source="", chunk="average", parameters=PARAMETERS),
    "beep": Script(name="beep", source="", chunk="beep"),
}


def problems(source: str, subject: Script | None = None) -> list[str]:
    return [
        f"{f.line}:{f.column} {f.severity.value} {f.rule}: {f.message}"
        for f in lint(source, Contract(MODULES, subject, TOOLS))
    ]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "loki.call('avrage', {})",
            "1:11 warning unknown-tool: 'avrage' is not among the tools of this config; "
            "did you mean 'average'?",
        ),
        (
            "loki.call('zzz')",
            "1:11 warning unknown-tool: 'zzz' is not among the tools of this config; "
            "a server needs it registered",
        ),
        (
            "loki.call('average', { sensor = 't', nn = 1 })",
            "1:38 error unknown-parameter: argument 'nn': 'average' has no such parameter; "
            "it takes sensor, n, options; did you mean 'n'?",
        ),
        (
            "loki.call('beep', { ['loud'] = params.x })",
            "1:22 error unknown-parameter: argument 'loud': 'beep' has no such parameter; "
            "it takes none",
        ),
        (
            "loki.call('average',\n  { n = 2, sensor = nil })",
            "2:3 error argument-count: 'average' requires the argument 'sensor' (string)",
        ),
        (
            "loki.call('average')",
            "1:11 error argument-count: 'average' requires the argument 'sensor' (string)",
        ),
        (
            "loki.call('average', { sensor = 5 })",
            "1:33 error argument-type: 'average': argument 'sensor': expected a string, "
            "got integer 5",
        ),
        (
            "loki.call('average', { sensor = 't', n = -1 })",
            "1:42 error argument-type: 'average': argument 'n': expected 1 to 9, got -1",
        ),
        (
            "loki.call('average', { sensor = 't', n = 0xfffffffffffffffe })",
            "1:42 error argument-type: 'average': argument 'n': expected 1 to 9, got -2",
        ),
        (
            "loki.call('average', { sensor = {}, n = 1 })",
            "1:33 error argument-type: 'average': argument 'sensor': expected string, got a table",
        ),
        (
            "loki.call('average', { sensor = print and function() end or 1, n = function() end })",
            "1:68 error argument-type: 'average': argument 'n': a function is no value to send",
        ),
        (
            "loki.call('average', { 't', 5 })",
            '1:24 error argument-name: arguments have names: loki.call("average", '
            "{ sensor = ..., n = ..., options = ... })",
        ),
    ],
)
def test_a_call_that_a_run_would_refuse_is_reported(source: str, problem: str) -> None:
    assert problems(source) == [problem]


@pytest.mark.parametrize(
    "source",
    [
        "loki.call('beep')",
        "loki.call('beep', nil)",
        "loki.call('average', { sensor = 't', n = 2.0, options = { 1, a = { b = 2 } } })",
        "loki.call('average', { ['sensor'] = params.x; n = nil, wrong = nil })",
        "loki.call('average', params)",
        "loki.call('average', { [params.key] = 1 })",
        "local function f() end loki.call('average', { f() })",
        "loki.call(params.tool, { wrong = 1 })",
        "loki.call('b\\101ep', { wrong = 1 })",
        "local loki = { call = print } loki.call('zzz')",
        "return pcall(loki.call, 'zzz', {})",
    ],
)
def test_what_is_right_or_unknown_is_not_reported(source: str) -> None:
    assert problems(source) == []


def test_without_the_tools_of_a_config_nothing_is_known_of_any() -> None:
    assert lint("loki.call('zzz', { wrong = 1 })", Contract(MODULES)) == ()


def test_a_tool_that_its_permissions_do_not_name_may_not_be_called() -> None:
    source = "loki.call('beep')"
    assert problems(source, tool()) == [
        "1:11 error permission: 'probe' may not call 'beep'; its permissions must say "
        'tools = ["beep"]'
    ]
    assert problems(source, tool(tools=("b*",))) == []
