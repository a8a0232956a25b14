"""What comes of a run, through loki.v1."""

import msgspec
import pytest

from loki.errors import ErrorCode
from loki.grpc_gateway.convert.run import script_error, usage_to_proto
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished, Usage
from loki.messages.script import Limits


def test_every_figure_of_usage_is_told() -> None:
    usage = Usage(
        wall_ms=1.5,
        cpu_ms=2.5,
        peak_memory_bytes=3,
        api_calls=4,
        queue_ms=5.5,
        overshoot_ms=6.5,
        budgets=Limits(max_output_kb=9),
        warnings=("max_memory_mb",),
    )
    told = usage_to_proto(usage)
    figures = msgspec.structs.asdict(usage)
    for field, value in figures.items():
        if field not in ("budgets", "warnings"):
            assert getattr(told, field) == value
    assert tuple(told.warnings) == usage.warnings
    assert {f.name: v for f, v in told.budgets.ListFields()} == msgspec.structs.asdict(
        usage.budgets
    )


@pytest.mark.parametrize("line", ["", "x", "²", "-1", "9" * 12])
def test_a_line_that_is_no_number_is_unknown(line: str) -> None:
    failure = Failure(code=ErrorCode.SCRIPT_ERROR, message="m", details={"line": line})
    finished = RunFinished(run="r", script="s", cause=Cause.SCRIPT_ERROR, failure=failure)
    assert script_error(finished).line == 0
