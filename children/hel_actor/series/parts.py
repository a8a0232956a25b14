"""All that has to do with time series in one Hel, put together."""

from collections.abc import Mapping
from pathlib import Path

from hel_actor.budgeted import Budgeted
from hel_actor.database.database import Database
from hel_actor.series.coarsener import Coarsener
from hel_actor.series.custodian import Custodian
from hel_actor.series.downsampled import Downsampled
from hel_actor.series.eraser import Eraser, Remover
from hel_actor.series.journal import Quota
from hel_actor.series.recorder import Recorder
from hel_actor.series.store import Keeping, SeriesStore
from hel_actor.series.viewer import Viewer
from hel_actor.turns import Turns
from loki.child import RunHandler, ServiceHandler, Shell
from loki.messages.envelope import Message


class SeriesParts:
    """They share a thread, a store, and turns."""

    def __init__(
        self,
        shell: Shell,
        database: Database,
        folder: Path,
        keeping: Keeping,
        quota: Quota,
        budgeted: Budgeted,
    ) -> None:
        """`folder` is where the files are."""
        worker, late_ns = shell.worker("series"), keeping.window_ns
        self.turns = turns = Turns(worker)
        store = SeriesStore(
            database.reading, database.submit, folder, keeping, shell.clock, shell.log
        )
        coarsener = Coarsener(store, budgeted.grow, late_ns, shell.clock, shell.log)
        remover = Remover(store, database.submit, folder)
        custodian = Custodian(
            store, coarsener, remover, worker, turns, late_ns, shell.clock, shell.log
        )
        self._custodian = custodian
        self._downsampled = Downsampled(database, custodian, quota)
        self._eraser = Eraser(store, remover, worker, custodian.clear, shell.log)
        self._viewer = Viewer(shell.clock, store, turns)
        self.recorder = Recorder(
            shell.clock, database, store, worker, turns, custodian, quota, budgeted
        )
        custodian.begin()

    @property
    def trouble(self) -> str:
        """What is wrong with files of series, for people; see `Custodian.trouble`."""
        return self._custodian.trouble

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {**self.recorder.calls(), **self._downsampled.calls(), **self._eraser.calls()}

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        return {**self._viewer.services(), **self._eraser.services()}
