"""How much one namespace may keep on the disk, and what is said to who asks for more."""

from dataclasses import dataclass

from hel_actor.namespace import shared_name, space
from loki.child import Run
from loki.errors import ErrorCode, ResourceLimitExceeded

MB = 1024 * 1024
QUOTA_MB = "[children_config.hel] quota_mb"
"""Where people set the limit of all who have none of their own."""
BLOCK_BYTES = 4096
"""Files take whole blocks, as on most disks; so does a folder, which else cost nothing."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a run's changes are counted to."""

    namespace: str
    owner: str  # For messages.
    limit_mb: int  # MiB; 0 is no limit.
    raised_by: str  # Where people set the limit.

    @property
    def limit_bytes(self) -> int:
        return self.limit_mb * MB

    @property
    def is_own(self) -> bool:
        """Whether its tool sets it."""
        return self.raised_by != QUOTA_MB


def account_of(run: Run, quota_mb: int) -> Account:
    """The tool's own limit holds where it has one, else that of all scripts, `quota_mb`.

    What several tools share belongs to none of them, so that the limit of none holds.
    """
    shared = shared_name(run)
    if run.max_disk_mb and not shared:
        raised_by = run.place_of_limit("max_disk_mb")
        return Account(space(run), f"'{run.script}'", run.max_disk_mb, raised_by)
    owner = f"what is shared as '{shared}'" if shared else f"'{run.script}'"
    return common_account(space(run), quota_mb, owner)


def common_account(namespace: str, quota_mb: int, owner: str = "") -> Account:
    """With the limit of all scripts."""
    return Account(namespace, owner or f"'{namespace}'", quota_mb, QUOTA_MB)


def in_blocks(size_bytes: int) -> int:
    """What a file of that size takes."""
    return -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES


def refused(account: Account, used: int, asked: int) -> ResourceLimitExceeded:
    """`used` and `asked` are bytes: what there is, and what was to come on top."""
    return ResourceLimitExceeded(
        f"{account.owner} keeps {used} bytes and asks for {asked} more, but may keep "
        f"{account.limit_bytes} in all; delete something, or raise {account.raised_by}, which is "
        f"{account.limit_mb}",
        code=ErrorCode.DISK_BUDGET,
        details={
            "limit": "max_disk_mb",
            "used": str(used),
            "asked": str(asked),
            "allowed": str(account.limit_bytes),
        },
    )
