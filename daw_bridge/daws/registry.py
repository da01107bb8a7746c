"""The hosts there are scripts for."""

from __future__ import annotations

from daw_bridge.daws.ardour.host import HOST as ARDOUR
from daw_bridge.daws.audacity.host import HOST as AUDACITY
from daw_bridge.daws.bitwig.host import HOST as BITWIG
from daw_bridge.daws.hosts import Host
from daw_bridge.daws.live.host import HOST as LIVE
from daw_bridge.daws.max.host import HOST as MAX
from daw_bridge.daws.puredata.host import HOST as PUREDATA
from daw_bridge.daws.reaper.host import HOST as REAPER
from daw_bridge.daws.supercollider.host import HOST as SUPERCOLLIDER
from daw_bridge.daws.touchosc.host import HOST as TOUCHOSC
from engine.errors import SpecError

HOSTS: tuple[Host, ...] = (ARDOUR, AUDACITY, REAPER, LIVE, BITWIG, MAX, PUREDATA, SUPERCOLLIDER, TOUCHOSC)


def host_named(name: str) -> Host:
    """Return a host by its name; raises SpecError with the names there are."""
    found = next((host for host in HOSTS if host.name == name.lower()), None)
    if found is None:
        names = ", ".join(host.name for host in HOSTS)
        raise SpecError(f"there are no scripts for {name!r:.60}", f"Known: {names}.")
    return found
