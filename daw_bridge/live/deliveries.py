"""How takes come back, by name: render presets as TOML files, and chains for them.

Files of the user's are over those that the program brings along. A file has the keys of a Delivery; its
chain is a name, or the path of a chain's file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daw_bridge.live.chains import ChainStore
from daw_bridge.live.named_files import NamedFiles
from daw_bridge.resources import shipped
from engine.chain_files import SUFFIX, parse_toml, read_chain
from engine.chain_json import chain_to_dict, delivery_from_dict, delivery_to_dict
from engine.chains import Chain
from engine.delivery import Delivery
from engine.errors import BadJson, EngineError, SpecError
from engine.text_files import read_text

FACTORY = Path("render")
MAX_BYTES = 100_000
_HINT = "docs/effects.md shows how such a file is written."


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All render presets by name, in their order, and why files of the folder are none."""

    presets: dict[str, Delivery] = field(default_factory=dict)
    damaged: dict[str, EngineError] = field(default_factory=dict)


class Deliveries:
    """Reads render presets from a folder, which need not exist, and puts chains in them by name."""

    def __init__(self, folder: Path, chains: ChainStore, factory: Path | None = None) -> None:
        self._chains = chains
        self._files = NamedFiles(
            folder=folder,
            factory=shipped(FACTORY) if factory is None else factory,
            suffix=SUFFIX,
            kind="render preset",
            listing="delivery/list",
        )

    def list(self) -> Listing:
        """Read all presets; raises OutputError for a folder that may not be read."""
        presets: dict[str, Delivery] = {}
        damaged: dict[str, EngineError] = {}
        for path in self._files.all():
            try:
                presets[path.stem] = self._read(path)
            except EngineError as error:
                damaged[path.name] = error
        return Listing(presets=dict(sorted(presets.items())), damaged=damaged)

    def named(self, name: str, folder: Path | None = None) -> Delivery:
        """Return the preset of a name, or that of a .toml file, seen from a folder.

        Raises:
            NotFound: there is none.
            SpecError: it is damaged, or this is not a name.
            OutputError: it may not be read.
        """
        if folder is not None and name.endswith(SUFFIX):
            return self._read((folder / Path(name).expanduser()).absolute())
        return self._read(self._files.find(name))

    def chain_named(self, name: str, folder: Path | None = None) -> Chain:
        """Return the chain of a name, or that of a .toml file, seen from a folder; raises as named does."""
        if folder is not None and name.endswith(SUFFIX):
            return read_chain((folder / Path(name).expanduser()).absolute())
        return self._chains.load(name)

    def resolved(self, delivery: object, chain: object) -> object:
        """Return a spec's delivery as JSON with names put in full; None where nothing is asked for.

        delivery is a name or its JSON, chain a name or its JSON, over that of the delivery; either may be
        None or "". What is mistyped stays, to be refused when it is read. Raises as named does.
        """
        if isinstance(delivery, str) and delivery:
            delivery = delivery_to_dict(self.named(delivery))
        if not isinstance(delivery, Mapping | None) and delivery != "":
            return delivery
        found: dict[str, Any] = dict(delivery) if isinstance(delivery, Mapping) else {}
        wanted = chain if chain not in (None, "") else found.get("chain")
        if isinstance(wanted, str):
            wanted = chain_to_dict(self.chain_named(wanted)) if wanted else None
        if wanted is not None:
            found["chain"] = wanted
        return found or None

    def _read(self, path: Path) -> Delivery:
        try:
            content = parse_toml(read_text(path, MAX_BYTES))
            content.setdefault("name", path.stem)
            if isinstance(content.get("chain"), str):
                content["chain"] = chain_to_dict(self.chain_named(content["chain"], path.parent))
            return delivery_from_dict(content)
        except (BadJson, SpecError) as error:
            raise SpecError(f"{path}: {error.message}", error.hint or _HINT) from error
