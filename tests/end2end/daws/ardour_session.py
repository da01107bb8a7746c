"""Ardour's own files for tests: settings without questions, sessions made and looked at without a window."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.end2end.homes import PATIENCE_S

RATE_HZ = 48_000

_CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour><Config>
 <Option name="hide-dummy-backend" value="0"/>
 <Option name="try-autostart-engine" value="1"/>
 <Option name="discover-plugins-on-start" value="0"/>
 <Option name="osc-port" value="{port}"/>
</Config><Metadata/>
<Extra><AudioMIDISetup><EngineStates>
 <State backend="None (Dummy)" driver="Normal Speed" device="Silence" input-device="" output-device=""
  sample-rate="48000" buffer-size="1024" n-periods="0" input-latency="0" output-latency="0" lm-input=""
  lm-output="" active="1" use-buffered-io="0" midi-option="1 in, 1 out, Silence" lru="1"><MIDIDevices/>
 </State>
</EngineStates></AudioMIDISetup></Extra>
<ControlProtocols/></Ardour>
"""

_OSC = {
    "name": "Open Sound Control (OSC)",
    "active": "1",
    "feedback": "0",
    "debugmode": "0",
    "address-only": "0",
    "remote-port": "8000",
    "banksize": "0",
    "striptypes": "31",
    "gainmode": "0",
    "send-page-size": "0",
    "plug-page-size": "0",
    "session-state": "0",
}

_MAKE = """
AudioEngine:set_backend ("None (Dummy)", "", "") AudioEngine:set_sample_rate (48000)
local session = create_session (arg[1], arg[2], 48000)
session:save_state ("", false, false, false) close_session () quit ()
"""

_LOOK = """
AudioEngine:set_backend ("None (Dummy)", "", "") AudioEngine:set_sample_rate (48000)
local session = load_session (arg[1], arg[2])
for route in session:get_tracks ():iter () do
  for region in route:to_track ():playlist ():region_list ():iter () do
    local source = region:to_audioregion ():source (0):to_filesource ()
    print ("REGION\\t" .. table.concat ({ route:name (), region:name (), region:position ():samples (),
      region:length ():samples (), region:start ():samples (), tostring (region:muted ()), source:path (),
      region:to_audioregion ():n_channels () }, "\\t"))
  end
end
close_session () quit ()
"""


def seed_settings(folder: Path, port: int) -> None:
    """Write the settings of a user who has started Ardour before, with the dummy backend."""
    (folder / "scripts").mkdir(parents=True, exist_ok=True)
    (folder / ".a7").touch()
    (folder / "config").write_text(_CONFIG.format(port=port), encoding="utf-8")


def make_session(folder: Path, environment: Mapping[str, str]) -> None:
    """Make an empty session, named as its folder, that listens to OSC."""
    _headless(_MAKE, folder, environment)
    path = folder / f"{folder.name}.ardour"
    tree = ET.parse(path)  # noqa: S314  made just now
    protocols = tree.getroot().find("ControlProtocols")
    if protocols is None:
        protocols = ET.SubElement(tree.getroot(), "ControlProtocols")
    for one in [one for one in protocols if "OSC" in one.get("name", "")]:
        protocols.remove(one)
    ET.SubElement(protocols, "Protocol", _OSC)
    tree.write(path, encoding="UTF-8", xml_declaration=True)


def regions(folder: Path, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the regions of a saved session as Ardour without a window reads them, in the order of tracks."""
    keys = ("track", "name", "position", "length", "start", "muted", "path", "channels")
    lines = [
        line.split("\t")[1:]
        for line in _headless(_LOOK, folder, environment).splitlines()
        if "REGION" in line
    ]
    return [
        {
            key: json.loads(value) if value.isdecimal() or value in {"true", "false"} else value
            for key, value in pairs
        }
        for pairs in (zip(keys, line, strict=True) for line in lines)
    ]


def _headless(lua: str, session: Path, environment: Mapping[str, str]) -> str:
    script = session.parent / f"{session.name}.lua"
    script.write_text(lua, encoding="utf-8")
    done = subprocess.run(
        ["ardour7-lua", script, session, session.name],
        env={key: value for key, value in environment.items() if key != "DISPLAY"},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return done.stdout
