"""docs/daws/osc_surfaces.md: python -m daw_bridge.daws.touchosc.sheet makes it anew from the controls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from daw_bridge.daws.touchosc.controls import SURFACE_PORT, Control, rows
from daw_bridge.daws.touchosc.host import FILE, VARIABLE
from daw_bridge.messages.base import REPLIES, REQUESTS, ROOT
from daw_bridge.messages.parameters import KNOBS, PARAMETERS
from daw_bridge.messages.surfaces import __doc__ as RULES

TARGET = Path(__file__).parents[3] / "docs" / "daws" / "osc_surfaces.md"

_INTRODUCTION = f"""\
# TouchOSC and other OSC surfaces

*Made from the controls by `python -m daw_bridge.daws.touchosc.sheet`; not to be edited.*

Tablets, pads, knobs, foot switches: whatever sends OSC over UDP plays the service. There is a ready layout
for TouchOSC, and a sheet of addresses for everything else.

## What to do
1. `daw-bridge serve` on the machine that renders.
2. `daw-bridge install-scripts touchosc` writes `{FILE}` into `Documents/TouchOSC` where TouchOSC has made
   that folder; else name one: `--folder DIR`, or once for all `{VARIABLE}`. Open it in TouchOSC's editor.
3. In TouchOSC's connections: OSC, UDP, host `127.0.0.1`, send port 9000, receive port {SURFACE_PORT}.
4. Press **connect**. The faders go to where the parameters are, and the label shows the current take.

From a tablet: `daw-bridge serve --listen 0.0.0.0` listens to the network, and asks each client for a token.
Give the button **connect** one more OSC message in the editor, before the one that is there: address
`{ROOT}hello`, and as constants `-`, `touchosc`, `1` (integer) and the token. The host in TouchOSC's
connections is then the address of the machine.

A prompt is text, which surfaces have no keys for: set it in a DAW or by OSC, keep it with the
other parameters under a name (`{ROOT}preset/save`), and let a button load that.
"""

_TESTED = f"""\
## How this was tested
TouchOSC itself could not be run for this page. What was tested: the tests read the file that is installed,
press, release and move each control as its messages say, send that over UDP to a real service, and look at
what it did. The file's form is that of files which TouchOSC's editor saved (XML with version 3, compressed).
Faders send and show 0 to 1, so that nothing depends on how TouchOSC scales. Not seen: how the layout looks.

If the label stays at *no service yet*: the service is not where the connection says, or port {SURFACE_PORT}
is taken by another program; `daw-bridge service paths` tells the service's ports.
"""


def text() -> str:
    """Return the whole page."""
    return "\n".join([_INTRODUCTION, *_layout(), *_addresses(), *_knobs(), _TESTED])


def _layout() -> Iterator[str]:
    yield "## The layout\n"
    for row in rows():
        yield f"**{row.title}**\n"
        yield _table(("control", "sends", "what it does"), map(_control_row, row.controls))


def _control_row(control: Control) -> tuple[str, ...]:
    sent = "; ".join(f"`{one.told}`" for one in control.sends) or f"(hears `{control.shows}`)"
    return f"{control.label} ({control.kind.value})", sent, control.does


def _addresses() -> Iterator[str]:
    yield "## Addresses for everything else\n"
    yield f"{_rules()}\n"
    presses = [cls for name, cls in REQUESTS.items() if name.startswith("press/")]
    yield _table(
        ("address", "what it does"),
        ((f"`{ROOT}{cls.pattern}`", " ".join((cls.__doc__ or "").split())) for cls in presses),
    )
    told = [cls for (pattern, _), cls in REPLIES.items() if pattern.startswith(("now/", "knob/"))]
    yield f"After `{REQUESTS['follow'].signature()}` the service tells a surface:\n"
    yield _table(
        ("address", "what it tells"),
        ((f"`{cls.signature()}`", " ".join((cls.__doc__ or "").split())) for cls in told),
    )


def _rules() -> str:
    paragraphs = (RULES or "").split("\n\n")[1:]
    return "\n\n".join(paragraph.strip() for paragraph in paragraphs)


def _knobs() -> Iterator[str]:
    yield "## Knobs\n"
    yield (
        f"`{ROOT}knob/<name>` takes 0 to 1, and the parameter goes between these ends. Surfaces that can\n"
        f"scale may send `{ROOT}param/<name>` with the value itself instead, also beyond them.\n"
    )
    yield _table(("knob", "0", "1", "parameter"), map(_knob_row, KNOBS))


def _knob_row(name: str) -> tuple[str, ...]:
    kind = PARAMETERS[name]
    low, high = (f"{end:g}" for end in KNOBS[name])
    if kind.tag == "s":
        words = kind.values.split(", ")
        low, high = words[0], words[-1]
    meaning = f"{kind.description}: {kind.values}" if kind.tag == "s" else kind.description
    return f"`{ROOT}knob/{name}`", low, high, meaning


def _table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    table = [head, tuple("---" for _ in head), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in table) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text(), encoding="utf-8")
