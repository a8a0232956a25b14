from pydantic import ValidationError

from loki.tool.problem import MISSING, Breach, Problem, Table, key_of, problems_of, show


class Inner(Table):
    password: str = ""
    port: int = 0


class Outer(Table):
    inner: list[Inner] = []
    name: str


def lines(data: object) -> list[str]:
    try:
        Outer.model_validate(data)
    except ValidationError as error:
        found = problems_of(error, Outer, lambda place: f"f:{len(place)}", "entry", at=("top",))
        return [str(problem) for problem in found]
    return []


def test_s_2_3_1_every_problem_has_place_entry_key_value_and_remedy() -> None:
    assert lines({"inner": [{}, {"port": "x", "prot": 1}], "name": 2}) == [
        'f:4: entry: top.inner[2].port = "x": must be a whole number',
        "f:4: entry: top.inner[2].prot = 1: unknown key; did you mean 'port'? "
        "(known: password, port)",
        "f:2: entry: top.name = 2: must be a string",
    ]


def test_s_2_3_1_a_missing_key_shows_no_value() -> None:
    assert lines({}) == ["f:2: entry: top.name: is required"]


def test_s_2_3_1_a_table_in_place_of_which_stands_something_else() -> None:
    assert lines({"inner": [3], "name": ""}) == ["f:3: entry: top.inner[1] = 3: must be a table"]


def test_s_r_4_secrets_are_not_shown() -> None:
    assert "hunter2" not in lines({"inner": [{"password": ["hunter2"]}], "name": ""})[0]
    nested = show(Breach(("hel",), {"api_key": "hunter2", "port": 1}, ""))
    assert nested == "{ api_key = (hidden), port = 1 }"


def test_values_are_shown_as_toml_and_shortened() -> None:
    assert show(Breach((), [True, "a\nb", 1.5, {}], "")) == '[true, "a\\nb", 1.5, {}]'
    assert len(show(Breach((), "x" * 10_000, ""))) < 100
    assert show(Breach((), MISSING, "")) == ""


def test_positions_count_from_one() -> None:
    assert key_of(("parameters", 1, "type")) == "parameters[2].type"


def test_a_problem_leaves_out_what_it_does_not_know() -> None:
    assert str(Problem("", "", "name", "", "is required")) == "name: is required"
