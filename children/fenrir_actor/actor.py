"""Fenrir's role: checks what a run may use, asks the board, and leaves it safe after each run."""

import json
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fenrir_actor.board import board_of
from fenrir_actor.ledger import Held, Ledger, held_of, outputs_of
from fenrir_actor.lines import Drive, Line, Output, Owner, Ownership, line_of, not_found
from fenrir_actor.messages import (
    DescribeSensor,
    PinLevel,
    ReadPin,
    ReadSensor,
    SensorReading,
    SensorValue,
    SetActuator,
    WritePin,
)
from fenrir_actor.port import HardwareAccess, Reading
from fenrir_actor.simulated.board import SimulatedBoard
from fenrir_actor.simulated.memory import BoardMemory
from fenrir_actor.values import actuator_value, plausible
from loki.child import ChildRole, Run, RunHandler, Shell
from loki.errors import IoError, ServiceUnavailable
from loki.messages.envelope import Done, Message

CLOSE_POLL_S = 0.005


class Fenrir(ChildRole):
    """Owns the board. Reading is shared; an output belongs to one run at a time.

    Theory of operation. Who owns what is decided here, at once. The board has a thread of its own,
    which does everything else in order: an output is written down before it is first driven, and
    struck out after it was made safe. So a successor finds all that a killed process left driven.
    It makes that safe, and tells each run that drove it, once, before it serves it again.
    """

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._board = board_of(config)
        run_dir = Path(self._board.state_dir) / "run"
        self._ledger = Ledger(run_dir / "fenrir.held", self._board)
        self._ownership = Ownership()
        left = outputs_of(self._ledger.read(), self._board)
        self._cut_off: dict[tuple[str, int], list[str]] = {}
        for held, output in left:
            self._cut_off.setdefault((held.run, held.runner_pid), []).append(str(output))
        lines, actuators = self._board.line_count, self._board.actuators
        memory = BoardMemory(lines, actuators, run_dir / "fenrir.board")
        self._hardware: HardwareAccess = SimulatedBoard(self._board, shell.clock, memory)
        self._worker = shell.worker("board")
        shell.mind(self._worker.submit(self._begin, [output for _, output in left]))

    def started(self) -> None:
        self.shell.log.info(
            'the board is simulated, as backend = "simulated" says: no real pin is touched'
        )

    def calls(self) -> Mapping[type[Message], RunHandler]:
        served: dict[type[Message], RunHandler] = {
            ReadPin: self._read_pin,
            WritePin: self._write_pin,
            ReadSensor: self._read_sensor,
            DescribeSensor: self._describe_sensor,
            SetActuator: self._set_actuator,
        }
        return {request: self._unless_cut_off(handler) for request, handler in served.items()}

    def release(self, run: Run) -> None:
        self._ownership, freed = self._ownership.release(run.id)
        if freed:
            held = held_of(self._ownership.owners)
            self.shell.mind(self._worker.submit(self._free, freed, held))

    def finish(self, grace_s: float, done: Callable[[], None]) -> None:
        """The ledger stays as it is: a successor tells the runs that we served."""
        closed = self._worker.submit(self._close, tuple(self._ownership.owners))
        give_up_s = self.shell.clock.monotonic_s() + grace_s

        def look() -> None:
            if closed.done() or self.shell.clock.monotonic_s() >= give_up_s:
                done()
            else:
                self.shell.later(CLOSE_POLL_S, look)

        look()

    # Calls.

    def _unless_cut_off(self, handler: RunHandler) -> RunHandler:
        def served(
            request: Message, run: Run
        ) -> "Message | Future[Any] | Coroutine[Any, Any, Message]":
            driven = self._cut_off.pop((run.id, run.runner_pid), None)
            if driven:
                raise _interrupted(driven)
            return handler(request, run)

        return served

    def _read_pin(self, request: ReadPin, run: Run) -> "Future[PinLevel]":
        line = self._permitted_line(request.pin, run)

        def read() -> PinLevel:
            return PinLevel(level=self._hardware.read_line(line.number))

        return self._settled(line, run, lambda: self._worker.submit(read))

    def _write_pin(self, request: WritePin, run: Run) -> "Future[Done]":
        line = self._permitted_line(request.pin, run)
        return self._drive(line, run, lambda: self._hardware.write_line(line.number, request.level))

    def _read_sensor(self, request: ReadSensor, run: Run) -> "Future[SensorValue]":
        read = self._reading(request.id, run)
        return self._worker.submit(lambda: SensorValue(value=read().value))

    def _describe_sensor(self, request: DescribeSensor, run: Run) -> "Future[SensorReading]":
        read = self._reading(request.id, run)

        def described() -> SensorReading:
            reading = read()
            return SensorReading(
                value=reading.value,
                unit=reading.unit,
                time=reading.time_ns / 1e9,
                simulated=reading.simulated,
            )

        return self._worker.submit(described)

    def _set_actuator(self, request: SetActuator, run: Run) -> "Future[Done]":
        actuator = self._board.actuators.get(request.id)
        if actuator is None:
            raise not_found("actuator", request.id, self._board.actuators)
        run.require("actuators", request.id, f"actuators = {json.dumps([request.id])}")
        value = actuator_value(actuator, request.value)
        drive = Drive(id=request.id, safe=actuator.safe)
        return self._drive(drive, run, lambda: self._hardware.set_actuator(request.id, value))

    def _reading(self, sensor: str, run: Run) -> Callable[[], Reading]:
        """What takes the reading, in the board's thread."""
        known = self._board.sensors.get(sensor)
        if known is None:
            raise not_found("sensor", sensor, self._board.sensors)
        run.require("sensors", sensor, f"sensors = {json.dumps([sensor])}")
        return lambda: plausible(sensor, known, self._hardware.read_sensor(sensor))

    def _permitted_line(self, pin: int | str, run: Run) -> Line:
        """A line that the manifest allows by its number or by its name."""
        line = line_of(self._board, pin)
        names = {str(line.number), line.name} - {""}
        if not any(fnmatchcase(name, known) for name in names for known in run.allowed("gpio")):
            raise run.refusal("gpio", str(line), f"gpio = {json.dumps([line.name or line.number])}")
        return line

    def _drive(self, output: Output, run: Run, act: Callable[[], None]) -> "Future[Any]":
        return self._settled(output, run, lambda: self._driven(output, run, act))

    def _settled(
        self, output: Output, run: Run, then: Callable[[], "Future[Any]"]
    ) -> "Future[Any]":
        """Do it once it is sure that who holds the output lives: else it is made safe first."""
        holder = self._ownership.holder(output)
        if holder is None or holder.run == run.id:
            return then()
        return self.when_over(holder.run, run, then)

    def _driven(self, output: Output, run: Run, act: Callable[[], None]) -> "Future[Done]":
        before, owner = self._ownership, Owner(run.id, run.script, run.runner_pid)
        self._ownership = before.claim(output, owner)
        news = None if before.holder(output) else held_of(self._ownership.owners)
        return self._worker.submit(self._act, news, act)

    # In the board's thread.

    def _begin(self, left: list[Output]) -> None:
        """Nobody knows at which level the last incarnation left what it drove."""
        safe_lines = [line_of(self._board, name) for name in self._board.safe_levels]
        drives = [Drive(id=name, safe=each.safe) for name, each in self._board.actuators.items()]
        for output in left:
            self._reset(output)
        self._free((*safe_lines, *drives), ())

    def _act(self, news: tuple[Held, ...] | None, act: Callable[[], None]) -> Done:
        """`news` is what is held from now on, where that changes."""
        if news is not None:
            self._ledger.write(news)
        act()
        return Done()

    def _free(self, freed: tuple[Output, ...], held: tuple[Held, ...]) -> None:
        for output in freed:
            self._give_back(output)
        self._ledger.write(held)

    def _close(self, driven: tuple[Output, ...]) -> None:
        for output in driven:
            self._give_back(output)
        self._hardware.close()

    def _give_back(self, output: Output) -> None:
        """To its safe state, if it has one. One that fails must not keep the others from theirs."""
        try:
            self._make_safe(output)
            if isinstance(output, Line):
                self._hardware.release_line(output.number)
        except IoError:
            self.shell.log.exception("%s could not be made safe", output)

    def _make_safe(self, output: Output) -> None:
        match output:
            case Line(number=number, safe=bool(level)):
                self._hardware.write_line(number, level)
            case Drive(id=actuator, safe=float(value)):
                self._hardware.set_actuator(actuator, value)

    def _reset(self, output: Output) -> None:
        """To its safe state, or as after power-up: a line is an input, an actuator off."""
        try:
            match output:
                case Line(number=number, safe=None):
                    self._hardware.reset_line(number)
                case Drive(id=actuator, safe=None):
                    self._hardware.set_actuator(actuator, 0.0)
                case _:
                    self._make_safe(output)
        except IoError:
            self.shell.log.exception("%s could not be reset", output)


def _interrupted(driven: list[str]) -> ServiceUnavailable:
    outputs = ", ".join(driven)
    return ServiceUnavailable(
        f"fenrir was started anew while this run drove {outputs}, which is in its safe state now; "
        "catch this error to go on, or run again",
        details={"child": "fenrir", "outputs": outputs},
    )
