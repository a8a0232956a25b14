"""How often something may happen: a number at once, and then so many a second."""


class Allowance:
    """Full at first. The caller brings the clock; it must not go back."""

    def __init__(self, at_once: int, per_second: float, now_s: float) -> None:
        self._at_once = float(at_once)
        self._per_second = per_second
        self._left = self._at_once
        self._at_s = now_s

    def take(self, now_s: float) -> bool:
        """Whether it may happen now; if so, it counts."""
        earned = (now_s - self._at_s) * self._per_second
        self._left, self._at_s = min(self._at_once, self._left + earned), now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
