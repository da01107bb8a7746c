"""Batch norm over a batch that several processes share.

B batch, C channels, H and W the axes of a map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.training.parallel import processes, summed


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Normalise by the whole batch's mean and variance (Ioffe and Szegedy 2015, alg. 1).

    torch's SyncBatchNorm does so on GPUs only.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name it has in torch
        # Of transposed maps torch sums value after value, and gradients are wrong in the third digit. In
        # float16 it would remember for good that a map has overflowed.
        plain = processes() == 1 and input.is_contiguous() and input.dtype is not torch.float16
        if plain or not self.training:
            return super().forward(input)
        maps_BCHW = input.float()
        count = float(summed(maps_BCHW.new_tensor(maps_BCHW[:, 0].numel())))
        mean_C = (summed(maps_BCHW.sum(dim=(0, 2, 3), dtype=torch.float64)) / count).float()
        centred_BCHW = maps_BCHW - mean_C[:, None, None]
        variance_C = summed(centred_BCHW.square().sum(dim=(0, 2, 3))) / count
        self._remember(mean_C.detach(), variance_C.detach() * count / (count - 1))
        gain_C = self.weight * (variance_C + self.eps).rsqrt()
        return (centred_BCHW * gain_C[:, None, None] + self.bias[:, None, None]).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean_C: Tensor, variance_C: Tensor) -> None:
        assert self.momentum is not None
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        for remembered_C, value_C in ((self.running_mean, mean_C), (self.running_var, variance_C)):
            remembered_C.lerp_(torch.where(value_C.isfinite(), value_C, remembered_C), self.momentum)


def share_batch_norms(network: nn.Module) -> None:
    """Replace all batch norms of a network by ones that several processes share; weights keep their names."""
    for parent in list(network.modules()):
        for name, norm in list(parent.named_children()):
            if type(norm) is nn.BatchNorm2d:
                shared = SharedBatchNorm2d(norm.num_features, norm.eps, norm.momentum)
                shared.load_state_dict(norm.state_dict())
                setattr(parent, name, shared.train(norm.training))
