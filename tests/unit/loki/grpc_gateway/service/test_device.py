"""What is said about the machine is what the kernel says."""

import os
from pathlib import Path

import pytest

from loki.grpc_gateway.service.device import describe


def test_s_r_8_its_maker_and_its_buses_are_told(tmp_path: Path) -> None:
    for name in ("i2c-10", "i2c-2", "spidev0.1", "spidev0.0", "gpiochip0", "i2c", "tty0", "gpio"):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
    model = tmp_path / "proc/device-tree/model"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    told = describe({}, tmp_path)
    assert told.model == "Raspberry Pi 4 Model B Rev 1.4"
    assert told.buses == ["gpiochip0", "i2c-2", "i2c-10", "spidev0.0", "spidev0.1"]


@pytest.mark.parametrize(("content", "model"), [(b"ThinkPad X1\n", "ThinkPad X1"), (b"\n", "")])
def test_a_pc_says_what_its_firmware_does(tmp_path: Path, content: bytes, model: str) -> None:
    name = tmp_path / "sys/class/dmi/id/product_name"
    name.parent.mkdir(parents=True)
    name.write_bytes(content)
    told = describe({}, tmp_path)
    assert (told.model, told.buses) == (model, [])


def test_s_3_1_2_the_device_is_described() -> None:
    told = describe({"fenrir": "simulated"})
    (line,) = (
        line for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line
    )
    assert told.cores == len(os.sched_getaffinity(0))
    assert told.memory_bytes // 1024 == int(line.split()[1])
    assert told.architecture == os.uname().machine
    assert dict(told.back_ends) == {"fenrir": "simulated"}
