"""How far long work is, for people who wait at a terminal."""

import sys
from collections.abc import Callable

import typer


class Line:
    """One line on a terminal's stderr that changes; silent elsewhere."""

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write or (_to_stderr if sys.stderr.isatty() else None)
        self._shown = ""

    def say(self, text: str) -> None:
        """In the place of what was said before."""
        if self._write is not None and text != self._shown:
            rest = " " * (len(self._shown) - len(text))
            self._shown = text
            self._write(f"\r{text}{rest}")

    def clear(self) -> None:
        """As if nothing had been there."""
        if self._write is not None and self._shown:
            self._write(f"\r{' ' * len(self._shown)}\r")
            self._shown = ""


class Count(Line):
    """Tells how many of many things are done, now and then."""

    EVERY = 100

    def show(self, what: str, done: int, total: int = 0) -> None:
        """0 is an unknown total."""
        if done % self.EVERY == 0 or done == total:
            self.say(f"{what}: {done} of {total}" if total else f"{what}: {done}")


def _to_stderr(text: str) -> None:
    typer.echo(text, nl=False, err=True)
