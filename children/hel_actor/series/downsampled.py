"""The calls about series that are made of finer ones."""

from collections.abc import Mapping
from concurrent.futures import Future

from hel_actor.database.answer import following, raised
from hel_actor.database.database import Database
from hel_actor.messages import DownsampleSeries, DownsamplingEnded, EndDownsampling
from hel_actor.namespace import series_place
from hel_actor.series import downsampling, series, window
from hel_actor.series.custodian import Custodian
from hel_actor.series.downsampling import Rule, Wanted
from hel_actor.series.journal import Quota
from loki.child import Run, RunHandler
from loki.errors import LokiError
from loki.messages.envelope import Done, Message


class Downsampled:
    """Rules are noted at once; what they ask for happens in the series' own thread."""

    def __init__(self, database: Database, custodian: Custodian, quota: Quota) -> None:
        self._database = database
        self._custodian = custodian
        self._quota = quota

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {DownsampleSeries: self._declare, EndDownsampling: self._end}

    def _declare(self, request: DownsampleSeries, run: Run) -> "Future[Done]":
        place = series_place(run, request.name)
        wanted = Wanted(
            series.checked_name(request.into),
            window.checked_every_ns(request.every_s),
            window.checked_statistic(request.statistic or "mean"),
        )

        def declared(result: Rule | LokiError) -> Done:
            self._custodian.coarsen(raised(result).source)
            return Done()

        promise = self._database.submit(
            lambda database: downsampling.declare(database, *place, wanted, self._quota)
        )
        return following(promise, declared)

    def _end(self, request: EndDownsampling, run: Run) -> "Future[DownsamplingEnded]":
        place = series_place(run, request.name)
        return self._database.submit(
            lambda database: DownsamplingEnded(
                existed=downsampling.end(database, *place, request.into)
            )
        )
