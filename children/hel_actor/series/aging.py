"""Decides which rows that wait for their files are too old, where nothing comes that moves them on.

Files are forgotten by `series.droppable`. The rows of a series that fills no chunk, or gets no row
any more, wait for ever; these go by the same age, with the same slack: once the oldest one is too
old by a sixteenth, all that are older than the age go. What coarser series do not have yet stays,
but for no more than a quarter of the age.
"""

from hel_actor.series.series import Retention, is_too_old


def before_ns(oldest_ns: int | None, done_ns: int, now_ns: int, keep: Retention) -> int | None:
    """Rows that wait from before that time go; None where none does.

    `oldest_ns` is of the rows that wait; coarser series have what is before `done_ns`.
    """
    if oldest_ns is None or not is_too_old(oldest_ns, now_ns, keep):
        return None
    wanted_ns = now_ns - keep.age_ns
    stretched_ns = wanted_ns - keep.age_ns // 4
    bound_ns = max(stretched_ns, min(wanted_ns, done_ns))
    return bound_ns if bound_ns > oldest_ns else None


def overtakes(oldest_ns: int | None, done_ns: int, now_ns: int, keep: Retention) -> bool:
    """Whether rows are to go that coarser series do not have yet."""
    return (
        oldest_ns is not None
        and is_too_old(oldest_ns, now_ns, keep)
        and done_ns < now_ns - keep.age_ns
    )
