"""Buckets and accounts at times that the test chooses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.access.quota import Account, Bucket, QuotaMet
from loki.errors import ErrorCode
from loki.messages.access import NO_QUOTA, Quota

LEAST = 1e-6


@pytest.mark.parametrize(
    ("rate", "taken", "amount", "after_s", "wait_s"),
    [
        (10, 0, 10, 0, 0.0),
        (10, 0, 1, 0, 0.0),
        (10, 10, 1, 0, 0.1),
        (10, 10, 5, 0, 0.5),
        (10, 10, 5, 0.25, 0.25),
        (10, 10, 5, 60, 0.0),
        (10, 0, 1000, 0, 0.0),  # More than it ever holds: when it is full.
        (10, 1, 1000, 0, 0.1),
        (10, 1000, 1, 0, 99.1),  # In debt.
        (0.5, 1, 1, 0, 2.0),
        (0, 10**9, 10**9, 0, 0.0),
    ],
)
def test_how_long_to_wait(
    rate: float, taken: float, amount: float, after_s: float, wait_s: float
) -> None:
    bucket = Bucket(rate, 5.0)
    bucket.take(taken, 5.0)
    assert bucket.wait_s(amount, 5.0 + after_s) == pytest.approx(wait_s)


@given(
    rate=st.floats(0.1, 1000),
    steps=st.lists(st.tuples(st.floats(0, 10), st.floats(0, 5000)), max_size=30),
)
def test_never_more_than_the_rate_and_one_filling(
    rate: float, steps: list[tuple[float, float]]
) -> None:
    bucket, now_s, taken, largest = Bucket(rate, 0.0), 0.0, 0.0, 0.0
    for pause_s, amount in steps:
        now_s += pause_s
        if not bucket.wait_s(amount, now_s):
            bucket.take(amount, now_s)
            taken, largest = taken + amount, max(largest, amount)
    assert taken <= (rate * now_s + max(1.0, rate) + largest) * (1 + LEAST)


@given(rate=st.floats(0.1, 1000), amount=st.floats(0, 1000), debt=st.floats(0, 1000))
def test_who_waits_as_long_as_told_gets_it(rate: float, amount: float, debt: float) -> None:
    bucket = Bucket(rate, 0.0)
    bucket.take(debt, 0.0)
    wait_s = bucket.wait_s(amount, 0.0)
    assert bucket.wait_s(amount, wait_s * (1 + LEAST) + LEAST) <= LEAST * (1 + wait_s)


def account(**quota: float) -> Account:
    return Account("panel", Quota(**quota), 0.0)  # type: ignore[arg-type]  # Counts too.


def test_too_many_requests_are_refused_and_told_when() -> None:
    held = account(requests_per_s=2)
    held.admit(0, 0.0)
    held.admit(0, 0.0)
    with pytest.raises(QuotaMet, match="'panel' may make 2 requests a second") as raised:
        held.admit(0, 0.0)
    assert raised.value.code is ErrorCode.QUOTA
    assert raised.value.retry_after_s == pytest.approx(0.5)
    assert raised.value.details == {"principal": "panel", "quota": "requests_per_s"}
    held.admit(0, 0.5)


def test_too_many_bytes_are_refused_and_the_request_does_not_count() -> None:
    held = account(requests_per_s=2, request_bytes_per_s=2048)
    held.admit(2048, 0.0)
    with pytest.raises(QuotaMet, match="may have 2 KiB a second") as raised:
        held.admit(1024, 0.0)
    assert raised.value.retry_after_s == pytest.approx(0.5)
    held.admit(0, 0.0)


def test_a_stream_is_kept_back_as_long_as_its_bytes_need() -> None:
    held = account(request_bytes_per_s=100)
    assert held.charge(100, 0.0) == 0.0
    assert held.charge(50, 0.0) == pytest.approx(0.5)
    assert held.charge(50, 0.5) == pytest.approx(0.5)


def test_the_messages_of_a_stream_are_requests_too() -> None:
    """Else a stream of questions to server reflection would be as many as its client likes."""
    held = account(requests_per_s=2)
    held.admit(0, 0.0)  # The stream, with its first message.
    assert held.charge(0, 0.0, first=True) == 0.0
    assert held.charge(0, 0.0) == 0.0
    assert held.charge(0, 0.0) == pytest.approx(0.5)
    assert held.charge(0, 0.5) == pytest.approx(0.5)
    with pytest.raises(QuotaMet):
        held.admit(0, 0.5)


def test_so_many_runs_at_a_time() -> None:
    held = account(runs_in_flight=2)
    with held.running():
        with held.running(), pytest.raises(QuotaMet, match="2 runs in flight"), held.running():
            pytest.fail("a third run")
        with held.running():
            pass


def test_a_run_that_fails_gives_its_place_back() -> None:
    held = account(runs_in_flight=1)
    for _ in range(3):
        with pytest.raises(KeyError), held.running():
            raise KeyError


def test_without_quota_nothing_is_refused() -> None:
    held = Account("panel", NO_QUOTA, 0.0)
    for _ in range(1000):
        held.admit(10**9, 0.0)
    assert held.charge(10**9, 0.0) == 0.0
    with held.running(), held.running():
        pass
