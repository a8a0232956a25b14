"""Whether a certificate holds, and for how long, in words for people; which of two is shown."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from loki.messages.finding import Finding, Need

SOON = timedelta(days=30)


class Validity(NamedTuple):
    """From when and until when a certificate holds."""

    begins: datetime
    ends: datetime

    def holds(self, now: datetime) -> bool:
        return self.begins <= now < self.ends


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of a certificate that is to take another one's place."""

    taken: bool
    problem: str = ""  # What a person should do about it; "" where it holds.
    again: datetime | None = None  # When to choose anew, though no file changes.


def choose(offered: Validity, shown: Validity, now: datetime) -> Choice:
    """Whether `offered` takes the place of `shown`: not if it does not hold, and the other does.

    Where neither holds, the newer one, which ends last, is the better guess: a renewal while the
    clock of the device stands in the past.
    """
    if offered.holds(now):
        return Choice(taken=True)
    told = finding("", *offered, now)
    again = offered.begins if now < offered.begins else None
    if shown.holds(now):
        until = " until then" if again else ""
        kept = f"the one before, which holds until {shown.ends:%Y-%m-%d}, stays in use{until}"
        return Choice(taken=False, problem=f"{told.text}; {kept}; {told.remedy}", again=again)
    taken = offered.ends >= shown.ends
    which = "it is shown all the same" if taken else "the one before stays in use"
    problem = f"{told.text}; {which}, for neither holds now; {told.remedy}"
    return Choice(taken=taken, problem=problem, again=None if taken else again)


def finding(path: str, begins: datetime, ends: datetime, now: datetime) -> Finding:
    """What somebody who looks after the device should know of a certificate."""
    remedy = "renew it: remove it and its key, and run loki init-tls with the same --host options"
    day = f"{ends:%Y-%m-%d}"
    if now < begins:
        text = f"holds from {begins:%Y-%m-%d %H:%M} UTC on only"
        return Finding(Need.PERSON, path, text, "set the clock of this device")
    if now >= ends:
        return Finding(Need.PERSON, path, f"has expired, on {day}", remedy)
    if ends - now < SOON:
        days = (ends - now).days
        return Finding(Need.PERSON, path, f"holds until {day}, which is in {days} days", remedy)
    return Finding(Need.NOBODY, path, f"holds until {day}")
