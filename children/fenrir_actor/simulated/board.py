"""A board without hardware: lines and actuators remember, sensors follow their waveforms."""

from fenrir_actor.board import Board
from fenrir_actor.port import Reading
from fenrir_actor.simulated.memory import BoardMemory
from fenrir_actor.simulated.waveform import value_at
from loki.child import Clock


class SimulatedBoard:
    """Implements `HardwareAccess`. Deterministic: the clock and its memory are its only inputs."""

    def __init__(self, board: Board, clock: Clock, memory: BoardMemory | None = None) -> None:
        """Without `memory` it is forgotten with this object."""
        self._board = board
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._memory = memory or BoardMemory(board.line_count, board.actuators)

    def read_line(self, number: int) -> bool:
        return self._memory.level(number)

    def write_line(self, number: int, level: bool) -> None:
        self._memory.set_level(number, level)

    def release_line(self, number: int) -> None:
        """Nothing to do: a simulated line keeps its level."""

    def reset_line(self, number: int) -> None:
        """Nothing is connected to a simulated input: it reads low."""
        self._memory.set_level(number, False)

    def read_sensor(self, sensor: str) -> Reading:
        device = self._board.sensors[sensor]
        return Reading(
            value=value_at(device.waveform, self._clock.monotonic_s() - self._started_s),
            unit=device.unit,
            time_ns=self._clock.now_ns(),
            simulated=True,
        )

    def set_actuator(self, actuator: str, value: float) -> None:
        self._memory.set_value(actuator, value)

    def actuator_value(self, actuator: str) -> float:
        """Where it stands, for tests; a new board's actuators are at 0."""
        return self._memory.value(actuator)

    def close(self) -> None:
        """Nothing to give back."""
