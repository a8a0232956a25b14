"""Gateway and the child that keeps data, about putting back what a backup has."""

from loki.messages.backup import BackupContents
from loki.messages.envelope import Done, Message, Request


class BeginRestore(Request[Done]):
    """Gateway -> keeper: an archive is going to come, piece by piece."""

    id: str
    writer: str  # The actor that sends it; until it is confirmed, a restore ends with its writer.


class WriteRestore(Request[Done]):
    """Gateway -> keeper: the next bytes of the archive. Answered when they are written."""

    id: str
    offset: int  # Bytes that were sent before.
    data: bytes


class RestoreChecked(Message):
    """All of the archive is verified; nothing was changed yet."""

    contents: BackupContents


class CheckRestore(Request[RestoreChecked]):
    """Gateway -> keeper: that was all. Can it be restored?"""

    id: str


class ConfirmRestore(Request[Done]):
    """Gateway -> keeper: let what was checked take the place of all that you keep.

    It is decided when this is answered. The keeper ends then, and does it at its next start.
    """

    id: str


class RestoreDone(Message):
    kept_aside: str  # The folder that has what was there before.


class DescribeRestore(Request[RestoreDone]):
    """Gateway -> keeper: is it done? Until then the answer is a Failure."""

    id: str


class EndRestore(Request[Done]):
    """Gateway -> keeper: forget what was not confirmed. Fine for one that is over, too."""

    id: str
