"""What people call a time series: names as they are listed, and the one series that is meant."""

from collections.abc import Collection, Sequence
from glob import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

from loki.cli.flag import Command

if TYPE_CHECKING:
    from loki.client import LokiClient, Series

SHOWN = 10
"""Names in an error."""


class NameCommand(Command):
    """Takes a name that begins with "-" as it is listed: those of ad-hoc scripts' series do."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options = [each for each in self.get_params(ctx) if each.param_type_name == "option"]
        known = {word for each in options for word in each.opts}
        flags = {word for each in options if each.is_flag for word in each.opts}
        return super().parse_args(ctx, names_last(args, known, known - flags))


def names_last(words: Sequence[str], known: Collection[str], valued: Collection[str]) -> list[str]:
    """The words of a command with names that look like options behind a "--".

    `known` are its options, such as "-o", and `valued` those that the next word belongs to. A
    name is told from a mistyped option by its "/".
    """
    others: list[str] = []
    names: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            return [*others, word, *names, *left]
        if word[:1] == "-" and word[1:2] != "-" and "/" in word and word[:2] not in known:
            names.append(word)
            continue
        others.append(word)
        if word in valued:
            others.extend(islice(left, 1))
    return [*others, "--", *names] if names else others


def resolve(client: "LokiClient", name: str) -> "Series":
    """The one series that is meant.

    Raises: LokiClientError (NOT_FOUND), and ValueError where it may be several: each names those.
    """
    from loki.client.error import not_found

    script, slash, short = name.rpartition("/")
    alike = client.series.find(escape(script) if slash else "*", escape(short))
    # What is empty is no glob, but all: so that they are compared.
    found = [each for each in alike if each.name == short and (not slash or each.script == script)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"which '{short}' is meant: {_listed(found[:SHOWN])}?")
    there = _listed(list(islice(client.series.find(), SHOWN)))
    known = f"there are {there}" if there else "there are none"
    raise not_found(f"there is no time series '{name}'; {known}")


def _listed(series: "Sequence[Series]") -> str:
    return ", ".join(f"{each.script}/{each.name}" for each in series)
