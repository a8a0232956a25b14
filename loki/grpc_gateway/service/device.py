"""What there is to say about the machine that Loki runs on."""

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from loki.v1 import device_pb2

BUS = re.compile(r"(gpiochip|i2c-|spidev)[0-9.]+")
"""Source: the kernel's device drivers for GPIO, I2C and SPI, and what udev calls their files."""
MODELS = ("proc/device-tree/model", "sys/class/dmi/id/product_name")
"""Of a device tree, as single boards have one, or of a PC's firmware."""
NUMBER = re.compile(r"([0-9]+)")


def describe(back_ends: Mapping[str, str], root: Path = Path("/")) -> device_pb2.DeviceInfo:
    """`back_ends` are the children's, by child; `root` has the kernel's files beneath it."""
    return device_pb2.DeviceInfo(
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        architecture=platform.machine(),
        python_version=platform.python_version(),
        back_ends=back_ends,
        model=next(filter(None, (_text(root / path) for path in MODELS)), ""),
        buses=_buses(root / "dev"),
    )


def _text(path: Path) -> str:
    """A line of the kernel's; "" where there is none. A device tree ends it by a NUL."""
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    return content.decode(errors="replace").strip("\0 \n")


def _buses(folder: Path) -> list[str]:
    """In the order of their numbers: i2c-2 before i2c-10."""
    names = os.listdir(folder) if folder.is_dir() else []
    found = [name for name in names if BUS.fullmatch(name)]
    return sorted(found, key=_in_order)


def _in_order(name: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in NUMBER.split(name)]
