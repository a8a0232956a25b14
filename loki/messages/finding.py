"""What somebody who looks at a device's data found, for people and programs."""

from enum import Enum

import msgspec


class Need(Enum):
    """Who puts it right."""

    NOBODY = "ok"  # Nothing is wrong.
    HINT = "hint"  # Nothing is wrong; somebody may want to do something all the same.
    ITSELF = "mends"  # Loki does, at its next start or when it needs it next.
    PERSON = "look"  # Somebody has to do something, or to know.

    @property
    def is_well(self) -> bool:
        """Whether nothing has to be put right."""
        return self in (Need.NOBODY, Need.HINT)


class Finding(msgspec.Struct, frozen=True):
    """One thing that was found, or that is well."""

    need: Need
    subject: str  # What it is about, such as a path beneath the state directory.
    text: str
    remedy: str = ""  # What is going to be done, or what a person should do.
