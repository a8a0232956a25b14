"""Ownership of outputs, as a table and as properties."""

import pytest
from fenrir_actor.lines import Busy, Drive, Line, Owner, Ownership
from hypothesis import given
from hypothesis import strategies as st

LED = Line(number=17, name="led")
FAN = Drive(id="fan", safe=0.0)
ANNA = Owner(run="0123456789abcdef", script="anna")
BERT = Owner(run="fedcba9876543210", script="bert")


def test_a_busy_output_names_script_and_the_start_of_the_run():
    held = Ownership().claim(LED, ANNA)
    with pytest.raises(Busy, match=r"line 17 'led' belongs to 'anna' \(run 01234567\)") as busy:
        held.claim(LED, BERT)
    assert ANNA.run not in busy.value.message


def test_claiming_again_changes_nothing():
    held = Ownership().claim(LED, ANNA)
    assert held.claim(LED, ANNA) == held


def test_release_gives_what_was_held_in_order_and_nothing_of_others():
    held = Ownership().claim(FAN, ANNA).claim(LED, ANNA).claim(Drive(id="led"), BERT)
    left, freed = held.release(ANNA.run)
    assert freed == (FAN, LED)
    assert dict(left.owners) == {Drive(id="led"): BERT}
    assert left.release(ANNA.run) == (left, ())


outputs = st.sampled_from([Line(number=n) for n in range(4)])
steps = st.lists(st.tuples(st.sampled_from(["claim", "release"]), outputs, st.sampled_from("ab")))


@given(steps)
def test_an_output_has_one_owner_from_first_claim_to_release(history):
    ownership, model = Ownership(), {}
    for action, output, run in history:
        if action == "release":
            ownership, freed = ownership.release(run)
            assert set(freed) == {held for held, owner in model.items() if owner == run}
            model = {held: owner for held, owner in model.items() if owner != run}
        elif model.get(output, run) != run:
            with pytest.raises(Busy):
                ownership.claim(output, Owner(run=run, script="s"))
        else:
            ownership = ownership.claim(output, Owner(run=run, script="s"))
            model[output] = run
        assert {held: owner.run for held, owner in ownership.owners.items()} == model
