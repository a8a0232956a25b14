"""What a change waits for before the database has it."""

from collections.abc import Callable
from concurrent.futures import Future, wait

import pytest
from hel_actor.messages import SetStored, WriteFile

from loki.errors import ErrorCode, LokiError
from loki.messages.envelope import Done, Message
from loki.messages.value import pack
from tests.unit.children.hel_actor.calling import run
from tests.unit.children.hel_actor.conftest import Bench

Start = Callable[..., Bench]


def begun(bench: Bench, request: Message, script: str) -> "Future[Done]":
    answer = bench.hel.calls()[type(request)](request, run(script=script))
    assert isinstance(answer, Future)
    return answer


def test_s_5_2_4_files_of_earlier_count_for_the_first_value_after_a_start(start: Start) -> None:
    bench = start(quota_mb=1)
    bench.call(WriteFile(path="f", content=pack("x" * 2**20)), run())
    bench.close()
    with pytest.raises(LokiError) as caught:
        start(quota_mb=1).call(SetStored(key="k", value=pack(1)), run())
    assert caught.value.code is ErrorCode.DISK_BUDGET


def test_who_waits_for_a_look_at_its_files_holds_up_nobody_else(start: Start) -> None:
    bench, put = start(), SetStored(key="k", value=pack(1))
    assert begun(bench, put, "known").result(20) == Done()
    held: Future[None] = Future()
    bench.shell.workers["files"].submit(held.result, 20)
    waiting = begun(bench, put, "tool")
    assert begun(bench, put, "known").result(20) == Done()
    assert not wait([waiting], timeout=0).done
    held.set_result(None)
    assert waiting.result(20) == Done()
