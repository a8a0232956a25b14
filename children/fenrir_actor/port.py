"""The port between Fenrir and a board: every back end offers this, and one suite tests them all."""

from typing import Protocol

import msgspec


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a sensor measured."""

    value: float
    unit: str
    time_ns: int  # Since 1970, UTC.
    simulated: bool  # True for every reading that no real sensor made.


class HardwareAccess(Protocol):
    """A board. Who may use what, and which names exist, was settled before it is asked.

    Every method may block, and raises IoError when the hardware refuses. All are called by one
    thread. What is driven stays driven, as far as the board can, when the process is killed that
    drove it: its successor has `reset_line` and the declared safe states to put that right.
    """

    def read_line(self, number: int) -> bool:
        """Level of an input, or the level that an output is driven to."""

    def write_line(self, number: int, level: bool) -> None:
        """Make the line an output, unless it is one, and drive it."""

    def release_line(self, number: int) -> None:
        """Nobody drives the line any more. It keeps its level as far as the board can."""

    def reset_line(self, number: int) -> None:
        """Make the line an input, as after power-up: whoever drove it is gone."""

    def read_sensor(self, sensor: str) -> Reading:
        """Take one reading now. It may be implausible: see `fenrir_actor.values.plausible`."""

    def set_actuator(self, actuator: str, value: float) -> None:
        """`value` is 0 to 1; 0 or 1 for a switch."""

    def close(self) -> None:
        """Give everything back. The last call."""
