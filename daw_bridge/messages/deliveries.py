"""Render presets: by which name takes come back how.

A preset has effects, loudness, fades, file format and names; it is a TOML file in the user's folder `render`,
or one that came with the program. A request has one as its option `delivery`, a name or JSON, and effects
alone as its option `chain`; without them those of param/render_preset and param/chain count.
"""

from __future__ import annotations

from typing import Any

from daw_bridge.messages.answers import COUNT
from daw_bridge.messages.arguments import Json, arg, label
from daw_bridge.messages.base import Answer, Request, reply, request

PRESET = label("name of the render preset", "master")


@reply("done", about="delivery/list")
class DeliveryListDone(Answer):
    """Tell the render presets."""

    count: int = arg(COUNT)
    presets: dict[str, Any] = arg(
        Json("description and chain of each by its name", {"master": {"chain": "glue"}})
    )


@request("delivery/list", answer=DeliveryListDone)
class DeliveryList(Request):
    """Ask for the render presets."""


@reply("done", about="delivery/load")
class DeliveryLoadDone(Answer):
    """Bring a render preset; a plug-in's state is left out."""

    delivery: dict[str, Any] = arg(Json("the preset", {"name": "master", "loudness_lufs": -14.0}))


@request("delivery/load", answer=DeliveryLoadDone)
class DeliveryLoad(Request):
    """Ask for a render preset."""

    name: str = arg(PRESET)
