"""The command line, but a service of it has the odd worker, and little patience with one that hangs."""

from __future__ import annotations

import sys
from dataclasses import replace

from daw_bridge.cli import main
from daw_bridge.service import app
from daw_bridge.workers.base import WorkOrder
from daw_bridge.workers.process import ProcessWorker, ProcessWorkerConfig

# A negative prompt: what has it must not be silent for long.
WATCHED = "watched"
COMMAND = (sys.executable, "-P", "-m", "tests.end2end.odd_worker")
GRACE_S = 0.2


class OddWorker(ProcessWorker):
    def __init__(self, on_event: app.OnEvent, config: ProcessWorkerConfig) -> None:
        super().__init__(on_event, replace(config, command=COMMAND, cancel_grace_s=GRACE_S))

    async def submit(self, order: WorkOrder) -> None:
        """Expect events soon only of an order that will send none: a start may take its time."""
        spec = order.arguments["spec"]
        is_watched = isinstance(spec, dict) and spec["negative"] == WATCHED
        self.config = replace(self.config, stall_s=GRACE_S if is_watched else 900.0)
        await super().submit(order)


if __name__ == "__main__":
    app.ProcessWorker = OddWorker  # type: ignore[misc]
    sys.exit(main())
