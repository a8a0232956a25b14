"""How much one tool may bring along: answers that tell of it have a bound."""

from tests.unit.loki.tool.test_definition import read, refused, table


def test_s_2_1_2_defaults_leave_room_for_others_in_an_answer() -> None:
    def many(items: int) -> dict[str, object]:
        names = [
            {"name": f"p{n}", "type": "array", "default": list(range(items))} for n in range(10)
        ]
        return table(parameters=names)

    assert len(read(many(1000)).parameters) == 10
    error = refused(many(1200))
    assert error.details == {"field": "parameters"}
    assert "256 KiB together" in error.message


def test_s_2_1_6_patterns_have_a_bound_together() -> None:
    error = refused(table(permissions={"gpio": ["x" * 40_000, "y" * 40_000]}))
    assert error.details == {"field": "permissions"}
    assert "65536 together" in error.message
