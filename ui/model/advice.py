"""Advice that was written for a command line, as the panel gives it."""

from __future__ import annotations

import re

_MODELS = "by the button beside Model"

# Options and commands, and what does the same in the window.
_IN_THE_PANEL: tuple[tuple[str, str], ...] = (
    (r"with --start and --end", "with From and to, below the sound"),
    (r"--cutoff", '"Begin at"'),
    (r"Give --prompt, or set the live prompt: [\w/]+", "Say in the prompt what to hear"),
    (r", or choose a folder on another disk with --into", ""),
    (r", or give --force(?: \(by OSC: options\.replace\))?", ""),
    (r"the file that --token-file named", "the file that was named at the start"),
    (r"\b([Ss])ee:? daw-bridge models list", rf"\1ee all models, {_MODELS}"),
    (r"Run: daw-bridge models pull \S+", f"Download it, {_MODELS}"),
    (r"(?:Start it|Start the service|Try): daw-bridge serve", "The button at the lower right starts it"),
    (r"Go on with daw-bridge serve,", "Start it by the button at the lower right,"),
    (r"See: daw-bridge history list", "See the tab History"),
    (r": daw-bridge history list", ", in the tab History"),
    (r": daw-bridge history tidy --gb \d+", ": Tidy up, in the tab History"),
    (r"See why: daw-bridge chain scan\b", "Look for them again where effects are added"),
    (r"Mend it: daw-bridge install-scripts \w+", "Mend puts that right"),
    (r"\brun daw-bridge install-scripts \w+", "press Mend"),
    (r"Run daw-bridge install-scripts \w+", "Mend them in File > Check-up"),
    (r"end it: daw-bridge service stop", "end it in a terminal: daw-bridge service stop"),
)
_PATTERNS = tuple((re.compile(pattern), words) for pattern, words in _IN_THE_PANEL)
# What the window cannot do is left to the terminal, and that is said.
_COMMAND = re.compile(r"(?<!terminal )(?<!terminal: )(`?daw-bridge [a-z])")


def advised(text: str) -> str:
    """Return a text with the window's controls where it names options and commands of the command line."""
    if "daw-bridge " not in text and "--" not in text:
        return text
    for pattern, words in _PATTERNS:
        text = pattern.sub(words, text)
    return _COMMAND.sub(r"in a terminal \1", text)
