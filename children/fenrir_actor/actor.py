"""Fenrir's role: checks what a run may use, asks the board, and leaves it safe after each run."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from fnmatch import fnmatchcase

from fenrir_actor.board import board_of
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
from fenrir_actor.values import actuator_value, plausible
from loki.child import ChildRole, Run, RunHandler, Shell
from loki.errors import IoError
from loki.messages.envelope import Done, Message


class Fenrir(ChildRole):
    """Owns the board. Reading is shared; an output belongs to one run at a time."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._board = board_of(config)
        self._hardware: HardwareAccess = SimulatedBoard(self._board, shell.clock)
        self._ownership = Ownership()
        self._make_all_safe()

    def started(self) -> None:
        self.shell.log.info(
            'the board is simulated, as backend = "simulated" says: no real pin is touched'
        )

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {
            ReadPin: self._read_pin,
            WritePin: self._write_pin,
            ReadSensor: self._read_sensor,
            DescribeSensor: self._describe_sensor,
            SetActuator: self._set_actuator,
        }

    def release(self, run: Run) -> None:
        self._ownership, freed = self._ownership.release(run.id)
        for output in freed:
            self._give_back(output)

    def stop(self) -> None:
        for output in self._ownership.owners:
            self._give_back(output)
        self._hardware.close()

    def _read_pin(self, request: ReadPin, run: Run) -> PinLevel:
        line = self._permitted_line(request.pin, run)
        return PinLevel(level=self._hardware.read_line(line.number))

    def _write_pin(self, request: WritePin, run: Run) -> "Done | Future[Done]":
        line = self._permitted_line(request.pin, run)
        return self._drive(line, run, lambda: self._hardware.write_line(line.number, request.level))

    def _read_sensor(self, request: ReadSensor, run: Run) -> SensorValue:
        return SensorValue(value=self._reading(request.id, run).value)

    def _describe_sensor(self, request: DescribeSensor, run: Run) -> SensorReading:
        reading = self._reading(request.id, run)
        return SensorReading(
            value=reading.value,
            unit=reading.unit,
            time=reading.time_ns / 1e9,
            simulated=reading.simulated,
        )

    def _set_actuator(self, request: SetActuator, run: Run) -> "Done | Future[Done]":
        actuator = self._board.actuators.get(request.id)
        if actuator is None:
            raise not_found("actuator", request.id, self._board.actuators)
        run.require("actuators", request.id, f"actuators = {json.dumps([request.id])}")
        value = actuator_value(actuator, request.value)
        drive = Drive(id=request.id, safe=actuator.safe)
        return self._drive(drive, run, lambda: self._hardware.set_actuator(request.id, value))

    def _reading(self, sensor: str, run: Run) -> Reading:
        known = self._board.sensors.get(sensor)
        if known is None:
            raise not_found("sensor", sensor, self._board.sensors)
        run.require("sensors", sensor, f"sensors = {json.dumps([sensor])}")
        return plausible(sensor, known, self._hardware.read_sensor(sensor))

    def _permitted_line(self, pin: int | str, run: Run) -> Line:
        """A line that the manifest allows by its number or by its name."""
        line = line_of(self._board, pin)
        names = {str(line.number), line.name} - {""}
        if not any(fnmatchcase(name, known) for name in names for known in run.allowed("gpio")):
            raise run.refusal("gpio", str(line), f"gpio = {json.dumps([line.name or line.number])}")
        return line

    def _drive(self, output: Output, run: Run, act: Callable[[], None]) -> "Done | Future[Done]":
        """Let a run drive what is free or its own, after making sure that its holder is alive."""
        holder = self._ownership.holder(output)
        if holder is None or holder.run == run.id:
            return self._driven(output, run, act)
        return self.when_over(holder.run, run, lambda: self._driven(output, run, act))

    def _driven(self, output: Output, run: Run, act: Callable[[], None]) -> Done:
        self._ownership = self._ownership.claim(output, Owner(run=run.id, script=run.script))
        act()
        return Done()

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

    def _make_all_safe(self) -> None:
        """Also after a crash, when nobody knows what the last incarnation left driven."""
        for name in self._board.safe_levels:
            self._give_back(line_of(self._board, name))
        for name, actuator in self._board.actuators.items():
            self._give_back(Drive(id=name, safe=actuator.safe))
