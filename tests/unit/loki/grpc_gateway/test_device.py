"""What is said about the machine is what the kernel says."""

import os
from pathlib import Path

from loki.grpc_gateway.device import describe


def test_s_3_1_2_the_device_is_described() -> None:
    told = describe({"fenrir": "simulated"})
    (line,) = (
        line for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line
    )
    assert told.cores == len(os.sched_getaffinity(0))
    assert told.memory_bytes // 1024 == int(line.split()[1])
    assert told.architecture == os.uname().machine
    assert dict(told.back_ends) == {"fenrir": "simulated"}
