"""What is written down of outputs, and what is made of it when the settings have changed."""

from fenrir_actor.ledger import Held, Ledger, held_of, outputs_of
from fenrir_actor.lines import Drive, Line, Owner

from tests.unit.children.fenrir_actor.conftest import board

ANNA = Owner(run="a", script="anna", runner_pid=7)


def test_what_was_written_is_read(tmp_path):
    ledger = Ledger(tmp_path / "held")
    assert ledger.read() == ()
    held = held_of({Line(number=17): ANNA, Drive(id="fan", safe=0.0): ANNA})
    ledger.write(held)
    assert Ledger(tmp_path / "held").read() == held
    ledger.write(())
    assert ledger.read() == ()
    assert [path.name for path in tmp_path.iterdir()] == ["held"]


def test_outputs_get_the_safe_states_of_today():
    held = held_of({Line(number=17): ANNA, Drive(id="fan"): ANNA})
    there = board(line_names={"led": 17}, safe_levels={"led": True})
    outputs = [output for _, output in outputs_of(held, there)]
    assert outputs == [Line(number=17, name="led", safe=True), Drive(id="fan", safe=0.0)]


def test_outputs_that_are_no_more_are_passed_over():
    held = (Held("a", 7, line=200), Held("a", 7, actuator="gone"), Held("a", 7))
    assert outputs_of(held, board()) == ()
