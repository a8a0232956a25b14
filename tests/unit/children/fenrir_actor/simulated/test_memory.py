"""What the simulated board remembers, and for how long."""

import pytest
from fenrir_actor.simulated.memory import BoardMemory


@pytest.mark.parametrize("name", [None, "board"])
def test_all_is_off_at_first_and_nothing_touches_another(name, tmp_path):
    memory = BoardMemory(3, ["b", "a"], tmp_path / name if name else None)
    assert [memory.level(line) for line in range(3)] == [False] * 3
    memory.set_level(2, True)
    memory.set_value("a", 0.25)
    memory.set_value("b", 1.0)
    assert [memory.level(line) for line in range(3)] == [False, False, True]
    assert (memory.value("a"), memory.value("b")) == (0.25, 1.0)


def test_a_file_is_remembered_and_that_of_another_board_is_not(tmp_path):
    path = tmp_path / "board"
    memory = BoardMemory(3, ["a"], path)
    memory.set_level(1, True)
    assert BoardMemory(3, ["a"], path).level(1) is True
    assert BoardMemory(4, ["a"], path).level(1) is False
