"""Chains with plug-ins rendered for a search: in one process, in which they stay loaded.

Legend: N channels, S samples.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np

from engine.chains import Chain
from engine.errors import PluginCrash, PluginTimeout
from engine.fx.child import HostLimits, IsCancelled
from engine.fx.host import ChainHost

# Each costs a new start with all plug-ins, and one that hangs its time besides.
MOST_CRASHES, MOST_HANGS = 20, 3


class HostedRenderer:
    """Renders chains of a search; one of which nothing can be heard, since a plug-in failed, is silence."""

    def __init__(self, limits: HostLimits, cancelled: IsCancelled, most_crashes: int = MOST_CRASHES) -> None:
        self._cancelled, self._most_crashes = cancelled, most_crashes
        self._host = ChainHost(Chain(effects=()), limits)
        self._crashes = self._hangs = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._host.close()

    def __call__(self, chain: Chain, audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
        """Return a sound through a chain.

        Raises:
            PluginCrash: plug-ins have ended their process too often.
            PluginTimeout: plug-ins have not finished in their time too often.
            SpecError, Cancelled, OutOfMemory: as `ChainHost.process`.
        """
        self._host.use(chain)
        try:
            return self._host.process(audio_NS, rate_hz, self._cancelled).audio_NS
        except PluginTimeout as error:
            self._hangs += 1
            if self._hangs >= MOST_HANGS:
                raise PluginTimeout(_too_often(error.message, self._hangs), error.hint) from error
        except PluginCrash as error:
            # What a plug-in refuses without an end of its process is a setting at which nothing is heard.
            self._crashes += not self._host.is_running
            if self._crashes >= self._most_crashes:
                raise PluginCrash(_too_often(error.message, self._crashes), error.hint) from error
        return np.zeros_like(audio_NS)


def _too_often(message: str, times: int) -> str:
    return f"{message}; that happened {times} times in this search"
