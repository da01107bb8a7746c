"""What the commands for Audacity refuse before they ask Audacity."""

from __future__ import annotations

import pytest

from daw_bridge.cli import main

PROMPTED = ("transfer", "inpaint", "generate")


@pytest.mark.parametrize("command", PROMPTED)
@pytest.mark.parametrize("prompt", ["", "  "])
def test_an_empty_prompt_is_refused_at_once(
    command: str, prompt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In Audacity it opens a dialog, which somebody at a terminal may not see."""
    assert main(["audacity", command, prompt]) == 1
    assert "the prompt is empty. Say what you want to hear." in capsys.readouterr().err
