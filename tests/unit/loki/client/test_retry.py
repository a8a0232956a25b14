import grpc
import pytest

from loki.client.error import LokiClientError
from loki.client.retry import Retries, may_repeat
from loki.v1 import execution_pb2


def error(retry_after_s: float | None, cause: str = "") -> LokiClientError:
    began = execution_pb2.ScriptError(cause=cause) if cause else None
    return LokiClientError(
        "not now",
        code=grpc.StatusCode.UNAVAILABLE,
        retry_after_s=retry_after_s,
        script_error=began,
    )


@pytest.mark.parametrize(
    ("failed", "repeated"),
    [
        (error(0.5), True),
        (error(0.5, "refused"), True),
        (error(0.5, "crashed"), False),
        (error(0.5, "error"), False),
        (error(None), False),
        (error(None, "refused"), False),
    ],
)
def test_only_what_was_not_begun_is_repeated_and_only_when_asked_for(
    failed: LokiClientError, repeated: bool
) -> None:
    assert may_repeat(failed) == repeated
    if repeated:
        assert 0.5 <= Retries(60, None).pause_s(failed) <= 0.625
    else:
        with pytest.raises(LokiClientError) as raised:
            Retries(60, None).pause_s(failed)
        assert raised.value is failed


@pytest.mark.parametrize(("patience_s", "timeout_s"), [(0, None), (1, None), (60, 1)])
def test_no_try_begins_after_the_patience_or_the_time(
    patience_s: float, timeout_s: float | None
) -> None:
    with pytest.raises(LokiClientError, match="not now"):
        Retries(patience_s, timeout_s).pause_s(error(2))


def test_all_tries_share_one_time() -> None:
    assert Retries(60, None).left_s() is None
    left_s = Retries(60, 100).left_s()
    assert left_s is not None
    assert 0 < left_s <= 100
    assert Retries(60, -1).left_s() == 0
