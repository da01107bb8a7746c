"""Our patchers: the abstraction, its help, and the device for Live."""

from __future__ import annotations

from daw_bridge.daws.max.patches import Box, Line, Patcher

SCRIPT = "dawbridge.js"
# Cords from and to the script, as it counts its outlets.
_TO_SERVICE, _TO_RECEIVER, _TAKES, _STATUS = range(4)


def abstraction() -> Patcher:
    """Return dawbridge: messages in, takes and what is going on out."""
    boxes = (
        *_engine(20.0),
        Box(id="in", kind="inlet", x=20, y=20, width=30, more={"comment": "generate, transfer, again, ..."}),
        Box(id="load", kind="loadbang", text="loadbang", x=70, y=20, width=60),
        Box(
            id="takes", kind="outlet", x=180, y=230, width=30, more={"comment": "take index path score seed"}
        ),
        Box(id="status", kind="outlet", x=260, y=230, width=30, more={"comment": "text, progress"}),
    )
    lines = (
        *_engine_lines(),
        Line(source="in", target="script"),
        Line(source="load", target="connect"),
        Line(source="script", outlet=_TAKES, target="takes"),
        Line(source="script", outlet=_STATUS, target="status"),
    )
    return Patcher(boxes=boxes, lines=lines, width=480.0, height=300.0)


def help_patcher() -> Patcher:
    """Return the help: what can be asked for, each as a message to click."""
    asks = (
        ("generate", 'generate "rain on a tin roof" 4.'),
        ("takes", "option takes 3"),
        ("into", "into sound"),
        ("transfer", 'transfer sound "a choir" 0.5'),
        ("inpaint", 'inpaint sound "a bell" 0.5 1.5 500. 4000.'),
        ("superres", "superres sound"),
        ("again", "again"),
        ("vary", "vary 0 0.3 3"),
        ("read", "read sound 1"),
        ("steps", "param steps 20"),
        ("cancel", "cancel"),
    )
    says = (
        "Make a new sound: words, seconds.",
        "So many takes of each job; any other key of a spec too.",
        "Read the best take into buffer~ sound when it is done.",
        "Make what is in the buffer sound like the words: how far, 0 to 1.",
        "Make times (s) and a band (Hz) of it anew.",
        "Make the highs that it lacks.",
        "Do the last job again with other seeds.",
        "Vary a take: which, how far (0 to 1), how many.",
        "Read another take, counted from 0, best first.",
        "Set a parameter of the service.",
        "Stop all jobs.",
    )
    boxes = [
        Box(
            id="title",
            kind="comment",
            text="dawbridge: sounds from words. Start daw-bridge serve first.",
            x=20,
            y=15,
            width=420,
        )
    ]
    lines = []
    for row, ((name, text), said) in enumerate(zip(asks, says, strict=True)):
        y = 50.0 + 30 * row
        boxes.append(Box(id=f"ask-{name}", kind="message", text=text, x=20, y=y, width=260))
        boxes.append(Box(id=f"say-{name}", kind="comment", text=said, x=290, y=y, width=390))
        lines.append(Line(source=f"ask-{name}", target="bridge"))
    boxes += [
        Box(id="bridge", kind="dawbridge", text="dawbridge", x=20, y=400, width=120),
        Box(id="takes", kind="print", text="print takes", x=20, y=440, width=100),
        Box(id="status", kind="print", text="print status", x=150, y=440, width=100),
        Box(id="sound", kind="buffer~", text="buffer~ sound 4000", x=290, y=400, width=150),
    ]
    lines += [
        Line(source="bridge", outlet=0, target="takes"),
        Line(source="bridge", outlet=1, target="status"),
    ]
    return Patcher(boxes=tuple(boxes), lines=tuple(lines), width=720.0, height=510.0)


def device() -> Patcher:
    """Return the device for Live: words, a clip to change, takes into slots; sound goes through untouched."""
    boxes = (
        *_engine(300.0),
        Box(id="audio-in", kind="plugin~", text="plugin~", x=20, y=20, width=60),
        Box(id="audio-out", kind="plugout~", text="plugout~", x=20, y=60, width=60),
        Box(id="ready", kind="live.thisdevice", text="live.thisdevice", x=300, y=20, width=100),
        Box(
            id="prompt",
            kind="textedit",
            text="a harp",
            x=20,
            y=110,
            width=230,
            shown=(10, 10, 230),
            more={"keymode": 1, "lines": 1},
        ),
        Box(id="words", kind="route", text="route text", x=20, y=150, width=80),
        Box(id="one", kind="tosymbol", text="tosymbol", x=20, y=190, width=70),
        Box(id="make", kind="prepend", text="prepend make", x=20, y=230, width=100),
        Box(
            id="strength",
            kind="flonum",
            x=130,
            y=150,
            width=60,
            shown=(250, 10, 60),
            more={"minimum": 0.0, "maximum": 1.0},
        ),
        Box(id="far", kind="prepend", text="prepend far", x=130, y=190, width=80),
        Box(id="new", kind="message", text="newsound", x=20, y=290, width=80, shown=(10, 45, 70)),
        Box(id="change", kind="message", text="change", x=110, y=290, width=80, shown=(90, 45, 70)),
        Box(id="again", kind="message", text="again", x=20, y=330, width=80, shown=(170, 45, 70)),
        Box(id="cancel", kind="message", text="cancel", x=110, y=330, width=80, shown=(250, 45, 60)),
        Box(id="slots", kind="message", text="slots", x=200, y=330, width=60),
        Box(id="news", kind="route", text="route text progress", x=300, y=330, width=160),
        Box(id="set", kind="prepend", text="prepend set", x=300, y=370, width=90),
        Box(id="told", kind="message", text="ready", x=300, y=410, width=300, shown=(10, 80, 300)),
    )
    lines = (
        *_engine_lines(),
        Line(source="audio-in", outlet=0, target="audio-out", inlet=0),
        Line(source="audio-in", outlet=1, target="audio-out", inlet=1),
        Line(source="ready", target="connect"),
        Line(source="prompt", target="words"),
        Line(source="words", target="one"),
        Line(source="one", target="make"),
        Line(source="make", target="script"),
        Line(source="strength", target="far"),
        Line(source="far", target="script"),
        *(Line(source=name, target="script") for name in ("new", "change", "again", "cancel", "slots")),
        Line(source="script", outlet=_STATUS, target="news"),
        Line(source="news", target="set"),
        Line(source="set", target="told"),
    )
    return Patcher(boxes=boxes, lines=lines, width=680.0, height=460.0)


def _engine(x: float) -> tuple[Box, ...]:
    """Return the script with the objects that carry its OSC."""
    return (
        Box(id="connect", kind="message", text="connect", x=x + 50, y=60, width=60),
        Box(id="receive", kind="udpreceive", text="udpreceive 9100 @defer 1", x=x + 130, y=60, width=160),
        Box(id="defer", kind="deferlow", text="deferlow", x=x + 130, y=95, width=60),
        Box(id="script", kind="js", text=f"js {SCRIPT}", x=x, y=140, width=240),
        Box(id="send", kind="udpsend", text="udpsend 127.0.0.1 9000", x=x, y=200, width=150),
    )


def _engine_lines() -> tuple[Line, ...]:
    return (
        Line(source="connect", target="script"),
        Line(source="receive", target="defer"),
        Line(source="defer", target="script"),
        Line(source="script", outlet=_TO_SERVICE, target="send"),
        Line(source="script", outlet=_TO_RECEIVER, target="receive"),
    )
