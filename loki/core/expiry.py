"""Whether a certificate holds, and for how long, in words for people."""

from datetime import datetime, timedelta

from loki.messages.finding import Finding, Need

SOON = timedelta(days=30)


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
