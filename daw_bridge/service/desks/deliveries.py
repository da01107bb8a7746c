"""Requests about how takes come back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from daw_bridge.live.deliveries import Deliveries
from daw_bridge.messages.deliveries import (
    DeliveryList,
    DeliveryListDone,
    DeliveryLoad,
    DeliveryLoadDone,
)
from daw_bridge.service import room
from daw_bridge.service.desk import Handlers
from daw_bridge.service.session import Session
from engine.chain_json import delivery_to_dict
from engine.chains import Chain
from engine.delivery import Delivery


class DeliveryDesk:
    """Tells the render presets."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    def handlers(self) -> Handlers:
        return {DeliveryList: self._list, DeliveryLoad: self._load}

    def _list(self, _: Session, request: DeliveryList) -> DeliveryListDone:
        listing = self._deliveries.list()
        presets = {name: _summary(delivery) for name, delivery in listing.presets.items()}
        damaged = {"damaged": {file: error.message for file, error in listing.damaged.items()}}
        content = room.table("presets", presets) | (damaged if listing.damaged else {})
        count = len(content["presets"])
        return DeliveryListDone(rid=request.rid, count=count, presets=room.without(content, "damaged"))

    def _load(self, _: Session, request: DeliveryLoad) -> DeliveryLoadDone:
        delivery = self._deliveries.named(request.name)
        if delivery.chain is not None:
            delivery = replace(delivery, chain=_without_states(delivery.chain))
        return DeliveryLoadDone(rid=request.rid, delivery=delivery_to_dict(delivery))


def _summary(delivery: Delivery) -> dict[str, Any]:
    chain = "" if delivery.chain is None else delivery.chain.name
    return {"description": delivery.description, "chain": chain}


def _without_states(chain: Chain) -> Chain:
    return replace(chain, effects=tuple(replace(effect, raw_state="") for effect in chain.effects))
