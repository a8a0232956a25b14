"""What scripts see of time series, as data."""

from loki.child import LuaFunction, LuaParameter, LuaType

SERIES = "series"

_NAME = LuaParameter(
    name="name",
    type=LuaType.STRING,
    doc="1 to 64 of a-z, A-Z, 0-9 and _ . - ; a series is made by the first row",
)
_INTO = LuaParameter(name="into", type=LuaType.STRING, doc="Name of the coarser series")
_STATISTIC = LuaParameter(
    name="statistic",
    type=LuaType.STRING,
    required=False,
    doc='"mean" (default), "min", "max", "sum", "count", "first", "last", or a percentile such as '
    '"p95" or "p99.9"',
)


def _time(name: str, doc: str) -> LuaParameter:
    return LuaParameter(
        name=name, type=LuaType.NUMBER, unit="s since 1970, UTC", required=False, doc=doc
    )


def _options(doc: str) -> LuaParameter:
    return LuaParameter(name="options", type=LuaType.OBJECT, required=False, doc=doc)


_FROM = _time("from", "The first time that counts; without it, the beginning")
_TO = _time("to", "The first time that no longer counts; without it, the end")
_APPEND_OPTIONS = _options(
    "{sequence = the caller's own number of this call: with the same one again nothing is "
    "appended; quality = 0 (good, the default) to 255}"
)

FUNCTIONS = (
    LuaFunction(
        name="series_append",
        request="AppendSample",
        parameters=(
            _NAME,
            LuaParameter(name="value", type=LuaType.NUMBER, doc="A finite number"),
            _time("time", "When it was so, to the microsecond; without it, now"),
            _APPEND_OPTIONS,
        ),
        returns=LuaType.BOOLEAN,
        permission=SERIES,
        doc="Appends one row. When it returns, the row is on the disk. False where a call with "
        "this sequence did it before. Rows may come late: reading sorts them.",
    ),
    LuaFunction(
        name="series_append_all",
        request="AppendSamples",
        parameters=(
            _NAME,
            LuaParameter(name="values", type=LuaType.ARRAY, doc="Finite numbers, 10000 at most"),
            LuaParameter(
                name="times",
                type=LuaType.ARRAY,
                unit="s since 1970, UTC",
                doc="As many times, in any order",
            ),
            _APPEND_OPTIONS,
        ),
        returns=LuaType.INTEGER,
        permission=SERIES,
        doc="Appends many rows, all or none, and says how many: far less work than one by one.",
    ),
    LuaFunction(
        name="series_read",
        request="ReadSeries",
        parameters=(
            _NAME,
            _FROM,
            _TO,
            _options(
                "{limit = rows at most, of 1 to 50000; newest = true for the last ones in place "
                "of the first}"
            ),
        ),
        returns=LuaType.ARRAY,
        permission=SERIES,
        doc="Rows as {time, value, quality}, in the order of time. Fails with NOT_FOUND where "
        "there is no such series, and with QUOTA for more than 50000 rows without a limit.",
    ),
    LuaFunction(
        name="series_aggregate",
        request="AggregateSeries",
        parameters=(
            _NAME,
            _FROM,
            _TO,
            _STATISTIC,
            LuaParameter(
                name="every_s",
                type=LuaType.NUMBER,
                unit="s",
                required=False,
                doc="How long each window is; without it, one window has all",
            ),
        ),
        returns=LuaType.ARRAY,
        permission=SERIES,
        doc="One number for each window that has rows, as {time, value, count}; time is where it "
        "begins. Windows begin at `from`; without `from`, at multiples of every_s.",
    ),
    LuaFunction(
        name="series_describe",
        request="DescribeSeries",
        parameters=(
            _NAME,
            LuaParameter(
                name="attributes",
                type=LuaType.OBJECT,
                doc="Strings, numbers and booleans by name, such as {unit = '°C', place = 'roof'}",
            ),
        ),
        permission=SERIES,
        doc="Replaces what is noted about a series; its files have it too, and the unit as "
        "`units` of the value. With interval_s, the seconds from one row to the next, series_info "
        "tells how many are missing.",
    ),
    LuaFunction(
        name="series_downsample",
        request="DownsampleSeries",
        parameters=(
            _NAME,
            _INTO,
            LuaParameter(
                name="every_s", type=LuaType.NUMBER, unit="s", doc="How long each window is"
            ),
            _STATISTIC,
        ),
        permission=SERIES,
        doc="From now on keeps one number of each window of a series in another one, also of the "
        "rows that are there; to be said once, and may be said again. A window is kept when no "
        "row may come for it any more (series_late_s), and before its rows are forgotten.",
    ),
    LuaFunction(
        name="series_downsample_end",
        request="EndDownsampling",
        parameters=(
            _NAME,
            LuaParameter(name="into", type=LuaType.STRING, doc="Of the coarser one"),
        ),
        returns=LuaType.BOOLEAN,
        permission=SERIES,
        doc="Keeps no more windows in that series, which stays. False where it was not so.",
    ),
    LuaFunction(
        name="series_info",
        request="SummarizeSeries",
        parameters=(_NAME,),
        returns=LuaType.OBJECT,
        permission=SERIES,
        doc="{rows, oldest, newest, size_bytes, attributes, missing, downsampled}: times in s "
        "since 1970, UTC, and nil without rows; bytes of the files; how many rows are missing "
        "where neighbours are more than one and a half interval_s apart, whatever came twice, and "
        "nil without interval_s or where a file cannot be read; coarser series as {into, every_s, "
        "statistic, until}. Fails with NOT_FOUND where there is no such series.",
    ),
    LuaFunction(
        name="series_trim",
        request="TrimSeries",
        parameters=(
            _NAME,
            LuaParameter(
                name="before",
                type=LuaType.NUMBER,
                unit="s since 1970, UTC",
                doc="The first time that stays; 1e10 is after all rows",
            ),
        ),
        returns=LuaType.INTEGER,
        permission=SERIES,
        doc="Forgets rows from before a time, and says how many; what they took is free then. Rows "
        "in files go by whole files, so that some stay. Fails with NOT_FOUND where there is no "
        "such series.",
    ),
    LuaFunction(
        name="series_remove",
        request="RemoveSeries",
        parameters=(_NAME,),
        returns=LuaType.BOOLEAN,
        permission=SERIES,
        doc="Removes a series with its rows, files and attributes; what it took is free then. "
        "False where there was none. Coarser series made of it stay, and end there; a row that "
        "comes later makes a new one.",
    ),
    LuaFunction(
        name="series_names",
        request="ListSeries",
        returns=LuaType.ARRAY,
        permission=SERIES,
        doc="The names of the script's series, sorted.",
    ),
)
