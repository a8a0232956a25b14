"""What is written down of outputs, and what is made of it when the settings have changed."""

import pytest
from fenrir_actor.ledger import HEAD, Held, Ledger, held_of, outputs_of
from fenrir_actor.lines import Drive, Line, Owner

from loki.errors import IoError
from tests.unit.children.fenrir_actor.conftest import board

ANNA = Owner(run="a", script="anna", runner_pid=7)


LED, FAN = Held("a", 7, line=17), Held("b", 8, actuator="fan")


def test_what_was_written_is_read(tmp_path):
    ledger = Ledger(tmp_path / "held", board())
    assert ledger.read() == ()
    for held in ((LED,), (LED, FAN), (FAN,), ()):
        ledger.write(held)
        assert ledger.read() == held
        assert Ledger(tmp_path / "held", board()).read() == held


@pytest.mark.parametrize("count", range(4))
def test_a_kill_at_any_byte_of_a_write_leaves_the_old_or_the_new(tmp_path, count):
    """Every prefix of every part of the write, in both halves."""
    path = tmp_path / "held"
    ledger = Ledger(path, board())
    for _ in range(count):
        ledger.write((LED,))
    old = path.read_bytes()
    ledger.write((FAN,) * 3)
    new = path.read_bytes()
    places = [at for at in range(len(old)) if old[at] != new[at]]
    half = places[0] // (len(old) // 2) * (len(old) // 2)
    content = [at for at in places if at >= half + HEAD.size]
    order = [*content, *(at for at in places if at not in content)]
    was = (LED,) if count else ()
    torn = bytearray(old)
    for at in order[:-1]:
        torn[at] = new[at]
        path.write_bytes(torn)
        assert Ledger(path, board()).read() == was
    path.write_bytes(new)
    assert Ledger(path, board()).read() == (FAN,) * 3


def test_there_is_room_for_every_output_and_no_more(tmp_path):
    ledger = Ledger(tmp_path / "held", board(line_count=2, line_names={}, actuators={}))
    full = (Held("r" * 64, 2**31, line=1),) * 2
    ledger.write(full)
    with pytest.raises(IoError, match="cannot note"):
        ledger.write((Held("r" * 2000, 1, line=1),))
    assert ledger.read() == full


def test_the_ledger_of_another_board_says_nothing(tmp_path):
    Ledger(tmp_path / "held", board()).write((LED,))
    assert Ledger(tmp_path / "held", board(line_count=30)).read() == ()


def test_outputs_get_the_safe_states_of_today():
    held = held_of({Line(number=17): ANNA, Drive(id="fan"): ANNA})
    there = board(line_names={"led": 17}, safe_levels={"led": True})
    outputs = [output for _, output in outputs_of(held, there)]
    assert outputs == [Line(number=17, name="led", safe=True), Drive(id="fan", safe=0.0)]


def test_outputs_that_are_no_more_are_passed_over():
    held = (Held("a", 7, line=200), Held("a", 7, actuator="gone"), Held("a", 7))
    assert outputs_of(held, board()) == ()
