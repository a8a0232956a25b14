"""Where the simulated board keeps its levels: as of a real one, they outlive Fenrir's process."""

import mmap
import struct
from collections.abc import Iterable
from pathlib import Path

from fenrir_actor.page import mapped

VALUE = struct.Struct("d")


class BoardMemory:
    """One byte for each line and one double for each actuator, all 0 at first.

    In a file of the run directory it lasts as long as `loki serve`.
    """

    def __init__(self, line_count: int, actuators: Iterable[str], path: Path | None = None) -> None:
        """Raises: OSError where `path` cannot be used."""
        self._line_count = line_count
        self._places = {
            name: line_count + VALUE.size * i for i, name in enumerate(sorted(actuators))
        }
        size = line_count + VALUE.size * len(self._places)
        self._cells = mmap.mmap(-1, size) if path is None else mapped(path, size)

    def level(self, line: int) -> bool:
        return self._cells[line] != 0

    def set_level(self, line: int, level: bool) -> None:
        self._cells[line] = level

    def value(self, actuator: str) -> float:
        (value,) = VALUE.unpack_from(self._cells, self._places[actuator])
        return float(value)

    def set_value(self, actuator: str, value: float) -> None:
        VALUE.pack_into(self._cells, self._places[actuator], value)
