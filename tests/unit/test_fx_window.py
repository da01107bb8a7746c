"""A plug-in's own window, opened on a screen that nobody sees, and used with a mouse."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field

import numpy as np
import pytest

from engine.chains import Chain, Effect
from engine.errors import NotFound
from engine.fx.host import ChainHost, edit_plugin
from tests.unit.odd_plugins import ZAM, OddPlugins
from tests.unit.sounds import RATE_HZ, noise

COMPRESSOR = Effect(plugin=str(ZAM / "ZamCompX2.vst3"), parameters={"threshold_db": -20.0})
# The middle of the threshold knob; the window has one size, and nobody to move it.
KNOB_X = "229"


@dataclass
class Hand:
    """Waits for the window, does something in it, and asks for it to be closed."""

    strokes: tuple[tuple[str, ...], ...] = ()
    windows: list[str] = field(default_factory=list)

    def closes(self) -> bool:
        if not self.windows:
            self.windows = _xdotool("search", "--onlyvisible", "--name", "^Pedalboard$").split()
            return False
        for stroke in self.strokes:
            _xdotool(*stroke)
        return True


def _xdotool(*arguments: str) -> str:
    return subprocess.run(["xdotool", *arguments], capture_output=True, text=True, check=False).stdout


@pytest.mark.usefixtures("screen")
def test_what_is_turned_in_the_window_is_kept() -> None:
    # Three times, from a second after the window's opening on: its first picture takes that long.
    moves = [word for y in range(66, 36, -5) for word in ("mousemove", KNOB_X, str(y), "sleep", "0.05")]
    grip = ("mousemove", KNOB_X, "66", "sleep", "0.7", "mousedown", "1", "sleep", "0.2")
    hand = Hand(strokes=((*grip, *moves, "mouseup", "1", "sleep", "0.3"),) * 3)
    edited = edit_plugin(COMPRESSOR, close=hand.closes)
    assert len(hand.windows) == 1
    threshold_db = edited.parameters["threshold_db"]
    assert isinstance(threshold_db, float)
    assert -20.0 < threshold_db <= 0.0

    sounds = []
    for effect in (edited, Effect(plugin=edited.plugin, raw_state=edited.raw_state), COMPRESSOR):
        with ChainHost(Chain(effects=(effect,))) as host:
            sounds.append(host.process(3.0 * noise(2, 0.5), RATE_HZ).audio_NS)
    np.testing.assert_array_equal(sounds[0], sounds[1])
    assert np.abs(sounds[0] - sounds[2]).max() > 1e-3


@pytest.mark.usefixtures("screen")
def test_a_plugin_without_a_window_says_so(odd_plugins: OddPlugins) -> None:
    with pytest.raises(NotFound, match="the plug-in Gain has no window of its own"):
        edit_plugin(Effect(plugin=odd_plugins.path("Gain")))
