"""A board without hardware: lines and actuators remember, sensors follow their waveforms."""

from fenrir_actor.board import Board
from fenrir_actor.port import Reading
from fenrir_actor.simulated.waveform import value_at
from loki.child import Clock


class SimulatedBoard:
    """Implements `HardwareAccess`. Deterministic: the clock is its only input."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._levels: dict[int, bool] = {}
        self._values: dict[str, float] = {}

    def read_line(self, number: int) -> bool:
        return self._levels.get(number, False)

    def write_line(self, number: int, level: bool) -> None:
        self._levels[number] = level

    def release_line(self, number: int) -> None:
        """Nothing to do: a simulated line keeps its level."""

    def read_sensor(self, sensor: str) -> Reading:
        device = self._board.sensors[sensor]
        return Reading(
            value=value_at(device.waveform, self._clock.monotonic_s() - self._started_s),
            unit=device.unit,
            time_ns=self._clock.now_ns(),
            simulated=True,
        )

    def set_actuator(self, actuator: str, value: float) -> None:
        self._values[actuator] = value

    def actuator_value(self, actuator: str) -> float:
        """Where it stands, for tests; a new board's actuators are at 0."""
        return self._values.get(actuator, 0.0)

    def close(self) -> None:
        """Nothing to give back."""
