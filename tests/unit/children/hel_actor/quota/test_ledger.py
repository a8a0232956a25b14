"""One limit over what two threads hold."""

from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier

import pytest
from hel_actor.quota.ledger import Ledger, Part
from hel_actor.quota.quota import Account

MB = 1024 * 1024


@pytest.fixture
def ledger() -> Ledger:
    loaded = Ledger()
    for part in Part:
        loaded.load(part, {})
    return loaded


def account(namespace: str = "tool", limit_mb: int = 1) -> Account:
    return Account(namespace, namespace, limit_mb, "quota_mb")


def test_both_parts_count_to_one_limit(ledger: Ledger) -> None:
    assert ledger.claim(account(), Part.FILES, 0, MB - 10) is None
    assert ledger.claim(account(), Part.DATABASE, 0, 10) is None
    refusal = ledger.claim(account(), Part.FILES, MB - 10, MB - 9)
    assert refusal is not None
    assert (refusal.details["used"], refusal.details["asked"]) == (str(MB), "1")
    assert ledger.used_bytes("tool") == MB
    assert ledger.claim(account("another"), Part.FILES, 0, MB) is None


def test_what_a_change_frees_is_free_when_it_is_settled(ledger: Ledger) -> None:
    ledger.load(Part.DATABASE, {"tool": MB})
    assert ledger.claim(account(), Part.DATABASE, MB, 0) is None
    assert ledger.claim(account(), Part.FILES, 0, 1) is not None
    ledger.settle(Part.DATABASE, {"tool": 0})
    assert ledger.claim(account(), Part.FILES, 0, 1) is None


def test_what_does_not_grow_is_not_refused(ledger: Ledger) -> None:
    ledger.load(Part.FILES, {"tool": 5 * MB})
    assert ledger.claim(account(), Part.FILES, 5 * MB, 5 * MB) is None
    assert ledger.claim(account(), Part.FILES, 5 * MB, 5 * MB - 1) is None
    assert ledger.claim(account(limit_mb=0), Part.FILES, 5 * MB, 9 * MB) is None


def test_no_two_threads_get_the_last_byte(ledger: Ledger) -> None:
    for round_ in range(50):
        for part in Part:
            ledger.load(part, {"tool": MB // 2})
        ledger.settle(Part.FILES, {"tool": MB // 2 - 1})
        together = Barrier(2)

        def grow(part: Part, before: int, together: Barrier = together) -> bool:
            together.wait(20)
            return ledger.claim(account(), part, before, before + 1) is None

        with ThreadPoolExecutor(2) as threads:
            got = [
                threads.submit(grow, Part.FILES, MB // 2 - 1),
                threads.submit(grow, Part.DATABASE, MB // 2),
            ]
        assert sorted(each.result(20) for each in got) == [False, True], round_


def test_a_claim_waits_until_its_own_namespace_is_counted() -> None:
    ledger = Ledger()
    ledger.settle(Part.FILES, {"tool": 0})
    with ThreadPoolExecutor(1) as thread:
        claimed = thread.submit(ledger.claim, account(), Part.FILES, 0, 1)
        assert not wait([claimed], timeout=0.05).done
        ledger.load(Part.DATABASE, {"tool": MB})
        assert claimed.result(20) is not None
        another = thread.submit(ledger.claim_at_most, account("another"), Part.DATABASE, MB)
        assert not wait([another], timeout=0.05).done
        ledger.settle(Part.FILES, {"another": 1})
        assert not another.result(20)


def test_a_claim_of_the_most_counts_until_it_is_settled(ledger: Ledger) -> None:
    assert ledger.claim_at_most(account(), Part.DATABASE, MB - 10)
    assert not ledger.claim_at_most(account(), Part.DATABASE, 11)
    assert ledger.claim_at_most(account(limit_mb=0), Part.DATABASE, 5 * MB)
    ledger.settle(Part.DATABASE, {"tool": 10})
    assert ledger.used_bytes("tool") == 10
    assert ledger.claim_at_most(account(), Part.DATABASE, MB - 10)


@pytest.mark.parametrize(("settled", "granted"), [(MB // 2, True), (MB // 2 + 1, False)])
def test_nobody_is_refused_for_what_another_part_only_may_come_to_hold(
    ledger: Ledger, settled: int, granted: bool
) -> None:
    assert ledger.claim_at_most(account(), Part.DATABASE, MB)
    with ThreadPoolExecutor(1) as thread:
        claimed = thread.submit(ledger.claim, account(), Part.FILES, 0, MB // 2)
        assert not wait([claimed], timeout=0.05).done
        ledger.settle(Part.DATABASE, {"tool": settled})
        assert (claimed.result(20) is None) is granted


def test_who_is_not_named_has_nothing_of_a_part_that_is_loaded(ledger: Ledger) -> None:
    ledger.settle(Part.DATABASE, {"gone": 7, "tool": 5})
    ledger.load(Part.DATABASE, {"tool": 6})
    assert [ledger.used_bytes(each) for each in ("gone", "tool")] == [0, 6]
