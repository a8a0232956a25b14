"""Says how Hel's data fares, without Hel and beside it."""

import time
from pathlib import Path

import msgspec

from hel_actor.backup.snapshot import DATABASE, FILES, SERIES
from hel_actor.doctor import diagnosis, observation, oddity, verification
from hel_actor.series.series import DAY_NS
from hel_actor.system.history import Bounds
from loki.child import Finding, Need, Tell
from loki.errors import pip_install

MB = 1024 * 1024
MORE_LOOKS, PAUSE_S = 3, 0.4


class Place(msgspec.Struct, frozen=True):
    """As much of Hel's settings as this needs."""

    state_dir: str
    history_rows: int
    history_days: int
    history_mb: int


def examine(config: bytes, deep: bool, tell: Tell) -> tuple[Finding, ...]:
    """Changes nothing; with `deep` every row, index and chunk is read, and `tell` told how far.

    Raises: OSError.

    Where Hel runs, something may be on its way between database and files just then, longer on a
    slow disk. So what is not well is looked at some times, and told only if all looks agree.
    """
    settings = msgspec.msgpack.decode(config, type=Place)
    found = _look(settings, deep)
    for _ in range(MORE_LOOKS):
        if all(each.need.is_well for each in found):
            break
        time.sleep(PAUSE_S)
        again = set(_look(settings, deep))
        found = tuple(each for each in found if each.need.is_well or each in again)
    return (*found, *_contents(settings, tell)) if deep else found


def _contents(settings: Place, tell: Tell) -> tuple[Finding, ...]:
    """Of series; a chunk that is damaged is looked at again as above, and none of the others."""
    state = Path(settings.state_dir)
    if not (state / SERIES).is_dir():
        return ()
    if not verification.is_possible():
        text, remedy = "contents cannot be read without zarr", pip_install("loki[series]")
        return (Finding(Need.PERSON, "series", text, remedy),)
    bounds = _bounds(settings)
    found = verification.verify(state, bounds, tell)
    damaged = found.damaged
    for _ in range(MORE_LOOKS):
        if not damaged:
            break
        time.sleep(PAUSE_S)
        damaged = verification.verify(state, bounds, tell, damaged).damaged
    return tuple(diagnosis.of_contents(found.checked, tuple(damaged.values())))


def _look(settings: Place, deep: bool) -> tuple[Finding, ...]:
    state = Path(settings.state_dir)
    if not state.is_dir():
        return ()
    database, series = observation.database(state / DATABASE, _bounds(settings), deep=deep)
    groups = {
        place: group
        for place, group in observation.groups(state / SERIES).items()
        if group.mark not in database.removed
    }
    findings = [*diagnosis.of_database(database, has_series=bool(groups))]
    if database.history is not None or not database.exists:  # Else nothing is known of the series.
        findings += diagnosis.of_series(series, groups)
    findings += diagnosis.of_odd(oddity.of_series(state / SERIES))
    findings += diagnosis.of_jail(observation.jail(state / FILES))
    findings += diagnosis.of_leftovers(observation.leftovers(state))
    return tuple(findings)


def _bounds(settings: Place) -> Bounds:
    return Bounds(settings.history_rows, settings.history_days * DAY_NS, settings.history_mb * MB)
