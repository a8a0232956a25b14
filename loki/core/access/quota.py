"""How much one principal may ask for: requests and their bytes by the second, runs at a time.

Theory of operation. A bucket fills at its rate up to what one second brings. A request takes what
it costs, and is refused with the time to wait where there is less. One that costs more than the
bucket holds is let through once it is full, which leaves it in debt: a bound must not forbid what a
single message may be. Messages of a stream that goes on are never refused, but waited for.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from loki.errors import ErrorCode, ResourceLimitExceeded
from loki.messages.access import Quota

RUN_RETRY_S = 0.5
"""When a run may have ended; nobody knows."""


class QuotaMet(ResourceLimitExceeded):
    """A principal asked for more than it may."""

    def __init__(self, text: str, *, principal: str, quota: str, retry_after_s: float) -> None:
        details = {"principal": principal, "quota": quota}
        super().__init__(text, code=ErrorCode.QUOTA, details=details)
        self.retry_after_s = retry_after_s


class Bucket:
    """Full at first. The caller brings the clock; it must not go back."""

    def __init__(self, per_second: float, now_s: float) -> None:
        """A rate of 0 bounds nothing."""
        self._per_second = per_second
        self._most = max(1.0, per_second)
        self._level = self._most
        self._at_s = now_s

    def wait_s(self, amount: float, now_s: float) -> float:
        """Seconds until so much may be taken; 0 is now."""
        if not self._per_second:
            return 0.0
        self._fill(now_s)
        return max(0.0, (min(amount, self._most) - self._level) / self._per_second)

    def take(self, amount: float, now_s: float) -> None:
        """Take it, whatever is there."""
        self._fill(now_s)
        self._level -= amount

    def _fill(self, now_s: float) -> None:
        earned = (now_s - self._at_s) * self._per_second
        self._level, self._at_s = min(self._most, self._level + earned), now_s


class Account:
    """What one principal has asked for."""

    def __init__(self, principal: str, quota: Quota, now_s: float) -> None:
        self._principal = principal
        self._runs = 0
        self.hold_to(quota, now_s)

    def hold_to(self, quota: Quota, now_s: float) -> None:
        """Another quota counts from now on; what is in flight stays so."""
        self.quota = quota
        self._requests = Bucket(quota.requests_per_s, now_s)
        self._bytes = Bucket(quota.request_bytes_per_s, now_s)

    def admit(self, size_bytes: int, now_s: float) -> None:
        """Count a request. Raises: QuotaMet; then it does not count."""
        quota = self.quota
        wait_s = self._requests.wait_s(1, now_s)
        if wait_s:
            text = f"'{self._principal}' may make {quota.requests_per_s:g} requests a second"
            raise self._met(text, "requests_per_s", wait_s)
        wait_s = self._bytes.wait_s(size_bytes, now_s)
        if wait_s:
            kb = quota.request_bytes_per_s // 1024
            text = f"the requests of '{self._principal}' may have {kb} KiB a second"
            raise self._met(text, "request_kb_per_s", wait_s)
        self._requests.take(1, now_s)
        self._bytes.take(size_bytes, now_s)

    def charge(self, size_bytes: int, now_s: float, *, first: bool = False) -> float:
        """Count a message of a stream; so many seconds it is to be kept back.

        Each is a request, but for the `first`: it was counted when the stream was let in.
        """
        requests = 0 if first else 1
        wait_s = self._bytes.wait_s(size_bytes, now_s)
        wait_s = max(wait_s, self._requests.wait_s(requests, now_s))
        self._bytes.take(size_bytes, now_s)
        self._requests.take(requests, now_s)
        return wait_s

    @contextmanager
    def running(self) -> Iterator[None]:
        """A run, as long as it lasts. Raises: QuotaMet."""
        most = self.quota.runs_in_flight
        if most and self._runs >= most:
            text = f"'{self._principal}' may have {most} runs in flight"
            raise self._met(text, "runs_in_flight", RUN_RETRY_S)
        self._runs += 1
        try:
            yield
        finally:
            self._runs -= 1

    def _met(self, text: str, quota: str, retry_after_s: float) -> QuotaMet:
        return QuotaMet(text, principal=self._principal, quota=quota, retry_after_s=retry_after_s)
