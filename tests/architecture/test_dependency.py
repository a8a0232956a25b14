"""What Loki declares to need: each library with a version, the hardware's apart."""

from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

PROJECT = tomli.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
HARDWARE = {"gpiod", "smbus2", "spidev"}
LIBRARIES = {
    *("thespian", "grpcio", "protobuf", "lupa", "msgspec", "pydantic"),
    *("tomli", "aiohttp", "gmqtt", "zarr", "watchdog"),
} | HARDWARE


def versions(*groups: list[str]) -> dict[str, SpecifierSet]:
    found = [Requirement(line) for group in groups for line in group]
    return {each.name: each.specifier for each in found}


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_s_1_1_2_each_library_is_declared_with_its_versions(library: str) -> None:
    declared = versions(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    operators = {clause.operator for clause in declared[library]}
    assert operators in ({"=="}, {">=", "<"})


def test_s_1_1_2_loki_installs_without_the_hardwares_libraries() -> None:
    assert not versions(PROJECT["dependencies"]).keys() & HARDWARE
    assert versions(PROJECT["optional-dependencies"]["hardware"]).keys() == HARDWARE
