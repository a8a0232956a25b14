"""What every back end of Fenrir does, whatever board is behind it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from fenrir_actor.board import board_of
from fenrir_actor.config import FenrirConfig
from fenrir_actor.port import HardwareAccess
from fenrir_actor.simulated.board import SimulatedBoard
from fenrir_actor.simulated.memory import BoardMemory
from fenrir_actor.values import plausible

from loki.clock import SystemClock

BOARD = board_of(msgspec.msgpack.encode(FenrirConfig().model_dump(mode="json") | {"state_dir": ""}))
BACK_ENDS = {"simulated": lambda: SimulatedBoard(BOARD, SystemClock())}


def simulated_at(folder: Path) -> SimulatedBoard:
    memory = BoardMemory(BOARD.line_count, BOARD.actuators, folder / "board")
    return SimulatedBoard(BOARD, SystemClock(), memory)


OUTLIVES = {"simulated": simulated_at}


@pytest.fixture(params=BACK_ENDS)
def hardware(request: pytest.FixtureRequest) -> Iterator[HardwareAccess]:
    back_end = BACK_ENDS[request.param]()
    yield back_end
    back_end.close()


@pytest.mark.parametrize("number", [0, 17, 27])
def test_s_6_2_1_an_output_reads_as_it_is_driven(hardware, number):
    for level in (True, False, True):
        hardware.write_line(number, level)
        assert hardware.read_line(number) is level


def test_lines_do_not_touch_each_other(hardware):
    hardware.write_line(5, True)
    hardware.write_line(6, False)
    assert (hardware.read_line(5), hardware.read_line(6)) == (True, False)


def test_a_line_that_nobody_drives_can_be_read(hardware):
    assert hardware.read_line(4) in (True, False)


def test_a_released_line_can_be_driven_again(hardware):
    hardware.write_line(17, True)
    hardware.release_line(17)
    hardware.write_line(17, False)
    assert hardware.read_line(17) is False


def test_s_6_1_1_a_line_that_is_reset_can_be_read_and_driven_again(hardware):
    hardware.write_line(17, True)
    hardware.reset_line(17)
    level = hardware.read_line(17)
    assert level in (True, False)
    if isinstance(hardware, SimulatedBoard):
        assert level is False
    hardware.write_line(17, True)
    assert hardware.read_line(17) is True


def test_a_line_that_was_never_driven_can_be_reset(hardware):
    hardware.reset_line(3)


def test_a_line_that_was_never_driven_can_be_released(hardware):
    hardware.release_line(3)


@pytest.mark.parametrize("sensor", BOARD.sensors)
def test_s_6_2_1_a_reading_is_plausible_and_says_what_it_is(hardware, sensor):
    before_ns = SystemClock().now_ns()
    reading = hardware.read_sensor(sensor)
    assert plausible(sensor, BOARD.sensors[sensor], reading) is reading
    assert reading.unit == BOARD.sensors[sensor].unit
    assert before_ns <= reading.time_ns <= SystemClock().now_ns()
    assert reading.simulated is isinstance(hardware, SimulatedBoard)


@pytest.mark.parametrize(("actuator", "value"), [("led", 0.25), ("led", 1.0), ("fan", 1.0)])
def test_s_6_2_1_an_actuator_takes_its_values(hardware, actuator, value):
    hardware.set_actuator(actuator, value)
    if isinstance(hardware, SimulatedBoard):
        assert hardware.actuator_value(actuator) == value


@pytest.mark.parametrize("outlives", OUTLIVES)
def test_s_6_1_1_what_is_driven_outlives_the_process_that_drove_it(outlives, tmp_path):
    """Its successor finds it so, resets what it must, and leaves the rest as it is."""
    first = OUTLIVES[outlives](tmp_path)
    first.write_line(5, True)
    first.write_line(6, True)
    first.set_actuator("led", 0.5)
    del first  # As killed: it gave nothing back.
    second = OUTLIVES[outlives](tmp_path)
    assert (second.read_line(5), second.read_line(6)) == (True, True)
    second.reset_line(5)
    third = OUTLIVES[outlives](tmp_path)
    assert (third.read_line(5), third.read_line(6)) == (False, True)
    assert third.actuator_value("led") == 0.5
