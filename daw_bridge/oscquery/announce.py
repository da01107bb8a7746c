"""Zeroconf: tells the local network where the service is, for as long as it listens beyond this machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo

HTTP_TYPE = "_oscjson._tcp.local."
OSC_TYPE = "_osc._udp.local."
# DNS allows 63; the rest is for the number that tells two services of one name apart.
MAX_NAME_BYTES = 56
END_TIMEOUT_S = 3.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What to announce: the ports, and the address on which the service listens."""

    name: str
    host: str
    http_port: int
    osc_port: int


@asynccontextmanager
async def announced(what: Announcement) -> AsyncIterator[None]:
    """Announce the service meanwhile, without waiting for it; a failure is logged, and never raised."""
    task = asyncio.create_task(_keep_announced(what))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=END_TIMEOUT_S)


def service_infos(what: Announcement) -> list[AsyncServiceInfo]:
    """Return the records for HTTP and for OSC over UDP.

    Raises:
        OSError: this machine has no address that others could use.
    """
    from zeroconf.asyncio import AsyncServiceInfo  # noqa: PLC0415 - only few need it

    addresses = _addresses(what.host)
    name = what.name.replace(".", " ").encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    # Not the machine's own name: its records belong to the system's own responder.
    server = f"daw-bridge-{uuid4().hex[:12]}.local."
    return [
        AsyncServiceInfo(kind, f"{name}.{kind}", port, server=server, parsed_addresses=addresses)
        for kind, port in ((HTTP_TYPE, what.http_port), (OSC_TYPE, what.osc_port))
    ]


async def _keep_announced(what: Announcement) -> None:
    """Announce, answer who asks, and withdraw it all when cancelled."""
    try:
        from zeroconf.asyncio import AsyncZeroconf  # noqa: PLC0415 - only few need it

        infos = service_infos(what)
        async with AsyncZeroconf(interfaces=infos[0].parsed_addresses()) as zeroconf:
            sent = [await zeroconf.async_register_service(info, allow_name_change=True) for info in infos]
            await asyncio.gather(*sent)
            await asyncio.Event().wait()
    except Exception as error:  # noqa: BLE001 - the service works without being found
        _log.warning("not announced by zeroconf: %s", str(error) or type(error).__name__)


def _addresses(host: str) -> list[str]:
    """Return the addresses to announce: the host, or those in all networks where it stands for them."""
    wanted = ip_address(host)
    if not wanted.is_unspecified:
        return [host]
    import ifaddr  # noqa: PLC0415 - only few need it

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    # Those of IPv6 are tuples that begin with the address.
    known = [ip_address(ip if isinstance(ip, str) else ip[0]) for ip in found]
    usable = [
        str(ip) for ip in known if ip.version == wanted.version and not (ip.is_loopback or ip.is_link_local)
    ]
    if not usable:
        raise OSError("this machine is in no network")
    return usable
