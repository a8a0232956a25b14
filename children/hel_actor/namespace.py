"""Whose data a run works on."""

from loki.child import Run

ADHOC = "-adhoc"  # No tool can have this name.


def space(run: Run) -> str:
    """The namespace of a run: its tool's name. All ad-hoc scripts, declared nowhere, share one."""
    return run.script if run.declared_in else ADHOC
