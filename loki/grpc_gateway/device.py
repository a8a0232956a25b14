"""What there is to say about the machine that Loki runs on."""

import os
import platform
from collections.abc import Mapping

from loki.v1 import device_pb2


def describe(back_ends: Mapping[str, str]) -> device_pb2.DeviceInfo:
    """`back_ends` are the children's, by child."""
    return device_pb2.DeviceInfo(
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        architecture=platform.machine(),
        python_version=platform.python_version(),
        back_ends=back_ends,
    )
