"""Names of series as people type them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from loki.cli.series_name import names_last
from tests.unit.loki.cli.series_fake import FakeSeries, made

Loki = Callable[..., Any]

KNOWN = {"-o", "--output", "--last", "--json"}
VALUED = KNOWN - {"--json"}


@pytest.fixture
def series(client: Any) -> FakeSeries:
    client.series = FakeSeries([made("adh", "-adhoc"), made("t1"), made("x-")])
    return client.series


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ("t1 --json", "t1 --json"),
        ("-adhoc/adh", "-- -adhoc/adh"),
        ("-adhoc/adh --last 5 --json", "--last 5 --json -- -adhoc/adh"),
        ("--last -adhoc/adh x", "--last -adhoc/adh x"),
        ("-o -a/b -c/d", "-o -a/b -- -c/d"),
        ("-o/tmp/file t1", "-o/tmp/file t1"),
        ("--output=a/b t1", "--output=a/b t1"),
        ("--lats=a/b t1", "--lats=a/b t1"),
        ("-x", "-x"),
        ("--json -- -x", "--json -- -x"),
        ("-a/b -- -x", "-- -a/b -x"),
    ],
)
def test_names_are_told_from_options(words: str, taken: str) -> None:
    assert names_last(words.split(), KNOWN, VALUED) == taken.split()


@pytest.mark.parametrize(
    "words",
    [
        ("show", "-adhoc/adh", "--last", "5"),
        ("show", "--last", "5", "-adhoc/adh"),
        ("plot", "-adhoc/adh"),
        ("export", "-adhoc/adh"),
        ("remove", "-adhoc/adh", "--yes"),
        ("remove", "adh", "--script", "-adhoc", "--yes"),
    ],
)
def test_a_name_is_taken_as_it_is_listed(
    series: FakeSeries, loki: Loki, words: tuple[str, ...]
) -> None:
    assert loki("series", *words).exit_code == 0
    assert "-adhoc" in series.asked[-1]


def test_a_pattern_of_such_names_lists_them(series: FakeSeries, loki: Loki) -> None:
    assert loki("series", "list", "-adhoc/*").exit_code == 0
    assert series.asked == [("-adhoc", "*")]


def test_an_option_that_there_is_not_is_told(series: FakeSeries, loki: Loki) -> None:
    result = loki("series", "show", "t1", "--lats=a/b")
    assert (result.exit_code, series.asked) == (2, [])
    assert "No such option: --lats" in result.stderr


def test_only_what_is_named_is_asked_for(series: FakeSeries, loki: Loki) -> None:
    loki("series", "show", "trend/t1")
    assert series.asked[0] == ("trend", "t1")
    loki("series", "show", "t[1]*")
    assert ("*", "t[[]1][*]") in series.asked


@pytest.mark.parametrize("name", ["", "/", "trend/", "/t1"])
def test_what_is_empty_names_no_series(series: FakeSeries, loki: Loki, name: str) -> None:
    series.there = [made("t1")]
    result = loki("series", "remove", name, "--yes")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"NOT_FOUND: there is no time series '{name}'; ")


def test_for_machines_a_missing_series_has_its_reason(series: FakeSeries, loki: Loki) -> None:
    result = loki("series", "remove", "trend/t9", "--yes", "--json")
    error = json.loads(result.stderr)["error"]
    assert (error["code"], error["reason"]) == ("NOT_FOUND", "NOT_FOUND")
    assert error["message"].endswith("there are -adhoc/adh, trend/t1, trend/x-")
