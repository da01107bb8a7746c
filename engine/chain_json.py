"""Effect chains and deliveries as JSON values, both ways and strictly; stdlib only."""

from __future__ import annotations

from collections.abc import Mapping

from engine.chains import Chain
from engine.delivery import Delivery
from engine.strict_json import Variants, decode, encode

_NO_VARIANTS = Variants(key="", kinds={})


def chain_to_dict(chain: Chain) -> dict[str, object]:
    """Return the chain as plain JSON values, every key present."""
    encoded = encode(chain, _NO_VARIANTS)
    assert isinstance(encoded, dict)
    return encoded


def chain_from_dict(value: Mapping[str, object]) -> Chain:
    """Read a chain.

    Raises:
        BadJson: a missing, unknown or mistyped key.
        SpecError: a value out of its range.
    """
    chain = decode(Chain, value, "chain", _NO_VARIANTS)
    assert isinstance(chain, Chain)
    return chain


def delivery_to_dict(delivery: Delivery) -> dict[str, object]:
    """Return the delivery as plain JSON values, every key present."""
    encoded = encode(delivery, _NO_VARIANTS)
    assert isinstance(encoded, dict)
    return encoded


def delivery_from_dict(value: Mapping[str, object]) -> Delivery:
    """Read a delivery; raises as chain_from_dict does."""
    delivery = decode(Delivery, value, "delivery", _NO_VARIANTS)
    assert isinstance(delivery, Delivery)
    return delivery
