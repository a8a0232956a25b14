"""By which rules the Dispatcher admits runs: those of its settings as they are now."""

from loki.core.run import execution
from loki.core.run.execution import Admission
from loki.core.runner.script_table import ScriptTable
from loki.messages.dispatch import DispatcherConfig
from loki.messages.execution import SubmitRun


class Admissions:
    """What is admitted keeps the rules that it was admitted by."""

    def __init__(self, scripts: ScriptTable, config: DispatcherConfig) -> None:
        self._scripts = scripts
        self.config = config

    @property
    def pool_sizes(self) -> dict[str, int]:
        return {
            "warm": self.config.warm_runners,
            "most": self.config.most_runners,
            "longest_queue": self.config.longest_queue,
        }

    def admit(self, message: SubmitRun) -> Admission:
        """Raises: LokiError for a script that is not there, or arguments that do not fit."""
        return execution.admit(
            message,
            message.adhoc or self._scripts.find_for(message),
            default_limits=self.config.default_limits,
            ceiling=self.config.ceiling,
            adhoc_permissions=self.config.adhoc_permissions,
        )
