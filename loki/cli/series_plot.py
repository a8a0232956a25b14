"""A time series as a picture: in the terminal, or in a file where matplotlib is installed."""

import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from loki.cli.backup import written
from loki.cli.connection import fail
from loki.cli.view import say
from loki.errors import pip_install

if TYPE_CHECKING:
    from loki.client import LokiClient, Series, Window

PICTURES = (".png", ".svg", ".pdf")
DOTS_A_CHARACTER = 2  # Of Unicode's braille patterns, side by side.
PICTURE_POINTS = 1500
PIPE_SIZE = (80, 20)
MOST_LINES = 24
DAY_S = 86400
GREATEST = 1e300  # Margins and differences of them are doubles, too.

Ask: TypeAlias = "Callable[[str, int], list[Window]]"
"""A statistic of so many windows of the time that is drawn."""


def asker(client: "LokiClient", series: "Series", start: datetime, end: datetime | None) -> Ask:
    """`end` None is the last row."""
    last = end or series.last or start
    span_s = max(0.0, (last - start).total_seconds())

    def ask(statistic: str, count: int) -> "list[Window]":
        return client.series.aggregate(
            series.script,
            series.name,
            statistic,
            start=start,
            end=end,
            every_s=max(span_s / count, 0.001),
        )

    return ask


def draw(series: "Series", ask: Ask, statistic: str, output: str) -> bool:
    """To the terminal, or with `output` into that file; False where there are no rows.

    Values that are too great for a picture end the command.
    """

    def near(statistic: str, count: int) -> "list[Window]":
        windows = ask(statistic, count)
        far = next((each for each in windows if not abs(each.value) <= GREATEST), None)
        if far:
            fail(
                f"the {statistic} of {far.start.isoformat()} is {far.value:g}, and only values up "
                f"to {GREATEST:g} can be drawn; ask for a part, with --from and --to, or use "
                "`loki series show`"
            )
        return windows

    if output:
        return _picture(series, near, statistic, output)
    return _terminal(series, near, statistic)


def check(output: str) -> None:
    """Ends the command where such a picture cannot be made."""
    if output and Path(output).suffix.lower() not in PICTURES:
        fail(f"{output}: pictures end in {', '.join(PICTURES)}")
    if output and find_spec("matplotlib") is None:
        fail(f"pictures need matplotlib, which is not installed: {pip_install('loki[plot]')}")


def _terminal(series: "Series", ask: Ask, statistic: str) -> bool:
    width, height = shutil.get_terminal_size() if sys.stdout.isatty() else PIPE_SIZE
    windows = ask(statistic, width * DOTS_A_CHARACTER)
    if windows:
        say(drawn(series, windows, width, min(height - 2, MOST_LINES)), end="")
    return bool(windows)


def drawn(series: "Series", windows: "list[Window]", width: int, height: int) -> str:
    """As many characters."""
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, height)
    times = [window.start.timestamp() for window in windows]
    plotext.plot(times, [window.value for window in windows], marker="braille")
    plotext.xticks(*ticks(times[0], times[-1], max(2, width // 20)))
    plotext.title(title(series))
    return str(plotext.uncolorize(plotext.build()))


def title(series: "Series") -> str:
    """Such as "trend/t1 in °C"."""
    return f"{series.script}/{series.name}" + (f" in {series.unit}" if series.unit else "")


def ticks(first_s: float, last_s: float, count: int) -> tuple[list[float], list[str]]:
    """Times since 1970 side by side, and what they are called in this computer's zone."""
    span_s = last_s - first_s
    form = "%Y-%m-%d" if span_s > 10 * DAY_S else "%m-%d %H:%M" if span_s > DAY_S else "%H:%M"
    if span_s < 10 * 60:
        form = "%H:%M:%S"
    times = [first_s + span_s * index / (count - 1) for index in range(count if span_s else 1)]
    return times, [datetime.fromtimestamp(time).astimezone().strftime(form) for time in times]


def _picture(series: "Series", ask: Ask, statistic: str, output: str) -> bool:
    """The numbers as a line, and from the least to the greatest a band."""
    from matplotlib import dates
    from matplotlib.figure import Figure

    windows = ask(statistic, PICTURE_POINTS)
    if not windows:
        return False
    lowest, highest = ask("min", PICTURE_POINTS), ask("max", PICTURE_POINTS)
    zone = windows[0].start.astimezone().tzinfo
    figure = Figure(figsize=(10, 4), dpi=150, layout="constrained")
    axes: Any = figure.subplots()  # Its types know no datetime.
    formats: Any = dates
    times = [window.start for window in windows]
    band = [[window.value for window in each] for each in (lowest, highest)]
    axes.fill_between([window.start for window in lowest], *band, alpha=0.25, linewidth=0)
    axes.plot(times, [window.value for window in windows], linewidth=1)
    locator = formats.AutoDateLocator(tz=zone)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(formats.ConciseDateFormatter(locator, tz=zone))
    axes.set_title(title(series))
    axes.set_ylabel(series.unit)
    axes.grid(alpha=0.3)
    content = BytesIO()
    figure.savefig(content, format=Path(output).suffix[1:].lower())
    with written(output) as target:
        target.write(content.getvalue())
    return True
