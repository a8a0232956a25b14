"""Who supervises whom, as the supervisors themselves tell it."""

import asyncio

from loki.actors.door.role import Shell
from loki.errors import ServiceUnavailable
from loki.messages.lifecycle import ROOT, ChildStatus, DescribeChildren

SUPERVISOR_TIMEOUT_S = 1.0


async def root_children(shell: Shell, timeout_s: float) -> tuple[ChildStatus, ...]:
    """Those of the root. Raises: ServiceUnavailable."""
    return (await shell.ask(ROOT, DescribeChildren(), timeout_s=timeout_s)).children


async def all_children(shell: Shell, timeout_s: float) -> tuple[ChildStatus, ...]:
    """Those of the root, each followed by its own. Raises: ServiceUnavailable."""
    first = await root_children(shell, timeout_s)
    below = await asyncio.gather(*(_below(shell, child, timeout_s) for child in first))
    return tuple(
        status for child, own in zip(first, below, strict=True) for status in (child, *own)
    )


async def _below(shell: Shell, child: ChildStatus, timeout_s: float) -> tuple[ChildStatus, ...]:
    """None while their supervisor is away, for it took them along."""
    if not child.supervises:
        return ()
    timeout_s = min(timeout_s, SUPERVISOR_TIMEOUT_S)
    try:
        return (await shell.ask(child.name, DescribeChildren(), timeout_s=timeout_s)).children
    except ServiceUnavailable:
        return ()
