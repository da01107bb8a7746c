"""daw-bridge render-presets: by which names takes come back how."""

from __future__ import annotations

import json

import click

from daw_bridge.client.jobs import Client
from daw_bridge.display import complain, say
from daw_bridge.messages.deliveries import DeliveryList, DeliveryLoad
from engine.types import ErrorCode, ErrorInfo


@click.command("render-presets")
@click.argument("name", default="")
def render_presets(name: str) -> None:
    """List the render presets, or show what is in one.

    A preset is chosen by --render-preset of the commands that render. It is a file NAME.toml in the folder
    `render` of your settings, see daw-bridge service paths; a path to such a file will do as well.

    Example: daw-bridge render-presets master
    """
    with Client() as client:
        if name:
            found = client.ask(DeliveryLoad(rid="-", name=name)).delivery
            say(json.dumps(found, indent=2, ensure_ascii=False))
            return
        content = client.ask(DeliveryList(rid="-")).presets
    for preset, about in content["presets"].items():
        say(f"{preset:<20} {about['description']}")
    for file, message in content.get("damaged", {}).items():
        complain(ErrorInfo(code=ErrorCode.BAD_ARGS, message=f"{file}: {message}"))
