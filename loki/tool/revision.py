"""The revision of a script: a name for exactly what a run of it does."""

import hashlib

import msgspec

from loki.messages.script import Origin, Script

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def revision_of(script: Script) -> str:
    """16 hexadecimal digits of the SHA-256 over all that a run can notice.

    Descriptions, where the script comes from and in which file it was declared are not of it:
    the same tool has the same revision on every device with the same default limits.
    """
    parameters = tuple(
        msgspec.structs.replace(parameter, description="") for parameter in script.parameters
    )
    bare = msgspec.structs.replace(
        script,
        description="",
        parameters=parameters,
        origin=Origin.FILE,
        declared_in="",
        revision="",
    )
    return hashlib.sha256(_encoder.encode(bare)).hexdigest()[:16]
