"""What importing Fenrir costs."""

import subprocess
import sys


def test_s_1_1_2_fenrir_needs_neither_pydantic_nor_hardware_packages():
    probe = (
        "import sys, fenrir_actor, fenrir_actor.actor\n"
        "print([m for m in ('pydantic', 'gpiod', 'smbus2', 'spidev') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", probe], check=True, capture_output=True, text=True
    ).stdout
    assert printed.strip() == "[]"
