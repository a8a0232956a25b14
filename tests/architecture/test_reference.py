"""The reference of the settings is what their models say, and says all of it."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from loki.config import Settings, load_settings
from loki.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


class Unexplained(BaseModel):
    known: int = 1  # Explained.
    unknown: int = 2


class Explained(BaseModel):
    """Such as
    this.
    """

    whole: Annotated[int, Field(ge=1, le=5)] | None = None  # One.
    part: float = Field(gt=0, le=2.0)
    """Two | and a half."""
    words: tuple[str, ...] = ("a",)  # Three.
    choice: Literal["x", "y"] = "x"  # Four.
    switch: bool = False  # Five.
    more: dict[str, Unexplained] = {}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_fresh(generator: ModuleType) -> None:
    assert generator.REFERENCE.read_text() == generator.render(), "run `make docs`"


def test_each_variable_sets_its_key(generator: ModuleType, tmp_path: Path) -> None:
    """Those of a NAME are of tables that only people can name."""
    for section in generator.sections(Settings):
        for key in section.keys:
            if generator.PLACEHOLDER in key.place or key.variable == "LOKI_TOOLS":
                continue
            assert set_by(key.variable, key.place, tmp_path), key


def set_by(variable: str, place: tuple[str, ...], folder: Path) -> bool:
    """Whether what the variable has arrives there: settings or a complaint with its name."""
    file = folder / "loki.toml"
    file.touch()
    try:
        load_settings(file, None, {variable: "[[1]]"})
    except ConfigurationError as error:
        return str(error).startswith(f"{variable}: {'.'.join(place)}")
    return False


def test_a_table_says_what_its_model_says(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"whole": "One.", "part": "Two | and a half.", "words": "Three.", "choice": "Four."}
    assert generator.meanings(Explained) == {**own, "switch": "Five.", "more": ""}
    monkeypatch.setattr(generator, "meanings", lambda model: dict.fromkeys(model.model_fields, "x"))
    first, inner = generator.sections(Explained, ("top",))
    assert (first.title, first.about) == ("## `[top]`", "Such as this.")
    assert inner.title == "## `[top.more.NAME]`"
    shown = {key.place[-1]: (key.default, key.allowed) for key in first.keys}
    assert shown == {
        "whole": ("not set", "1 to 5"),
        "part": ("required", "more than 0, up to 2"),
        "words": ('`["a"]`', "list of text"),
        "choice": ('`"x"`', '`"x"`, `"y"`'),
        "switch": ("`false`", "true or false"),
    }
    assert inner.keys[0].variable == "LOKI_TOP__MORE__NAME__KNOWN"


def test_a_bar_does_not_end_a_cell(generator: ModuleType) -> None:
    assert r"a \| b" in generator.Key(("x",), "", "", "a | b").row()


def test_a_key_that_nobody_explains_is_refused(generator: ModuleType) -> None:
    with pytest.raises(SystemExit, match="Unexplained: say behind unknown what it means"):
        generator.meanings(Unexplained)
