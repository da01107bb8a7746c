"""Exponential moving average of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from engine.training.precision import Descent


class Ema:
    """Average a network's parameters with the warm-up min(decay, (1 + n) / (10 + n))."""

    def __init__(self, network: nn.Module, decay: float = 0.9999) -> None:
        self._decay = decay
        self.updates = 0
        self.shadow = {name: value.detach().clone() for name, value in network.named_parameters()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        live = dict(network.named_parameters())
        averages = list(self.shadow.values())
        torch._foreach_lerp_(averages, [live[name].detach() for name in self.shadow], 1 - decay)

    def follow(self, network: nn.Module, descent: Descent) -> None:
        """Update after a step that was not skipped."""
        if not descent.skipped:
            self.update(network)

    def to(self, device: torch.device) -> None:
        """Keep the averages there, beside the network that they are of."""
        self.shadow = {name: value.to(device) for name, value in self.shadow.items()}

    @contextmanager
    def applied(self, network: nn.Module) -> Iterator[None]:
        """Swap the averages in for the length of a with block."""
        live = {name: value.detach().clone() for name, value in network.named_parameters()}
        self._copy_into(network, self.shadow)
        try:
            yield
        finally:
            self._copy_into(network, live)

    def state_dict(self) -> dict[str, object]:
        return {"updates": self.updates, "shadow": self.shadow}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        shadow = state["shadow"]
        assert isinstance(shadow, dict) and isinstance(state["updates"], int)
        if shadow.keys() != self.shadow.keys():
            raise KeyError("the averaged weights have other names than the network")
        self.updates = state["updates"]
        for name, value in shadow.items():
            self.shadow[name].copy_(value)

    @staticmethod
    @torch.no_grad()
    def _copy_into(network: nn.Module, values: Mapping[str, Tensor]) -> None:
        for name, parameter in network.named_parameters():
            parameter.copy_(values[name])
