"""Where in the sources of a run an error happened."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    file: str = ""  # "" where it is not known.
    line: int = 0
    source: str = ""  # Of the whole file.


NOWHERE = Place()


def line_in(message: str, chunk: str) -> int:
    """The line that a message of Lua begins with, or 0."""
    found = re.match(re.escape(chunk) + r":(\d+): ", message)
    return int(found[1]) if found else 0


class Sources:
    """The script and the modules that a run has loaded, by the names that Lua has for them."""

    def __init__(self, chunk: str, source: str) -> None:
        self._texts = {chunk: source}

    def add(self, chunk: str, source: str) -> None:
        self._texts[chunk] = source

    def place_in(self, text: str) -> Place:
        """The place that a message, or a line of a stack, begins with."""
        for chunk, source in self._texts.items():
            if line := line_in(text, chunk):
                return Place(chunk, line, source)
        return NOWHERE

    def place_of(self, message: str, traceback: str) -> Place:
        """As the message says, else the innermost line of the stack that is ours to show."""
        for text in (message, *traceback.splitlines()):
            if (place := self.place_in(text)) != NOWHERE:
                return place
        return NOWHERE
