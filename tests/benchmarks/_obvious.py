"""The same operators in the form one would write first, with autograd: what ours are beside."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FourSamples(nn.Module):
    """DynOPool as four `grid_sample`s, one a query point, and the largest of them."""

    def __init__(self, stride: tuple[float, float]) -> None:
        super().__init__()
        self.stride = nn.Parameter(torch.tensor(stride))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, round(H / s), round(W / s))."""
        axes = []
        for n, stride in zip(x.shape[2:], self.stride, strict=True):
            soft = n / stride
            cells = soft.round().detach() + soft - soft.detach()
            centres = (
                torch.arange(int(cells.round()), device=x.device) * 2 + 1
            ) / cells.detach() - 1
            axes.append((centres - 0.5 / cells, centres + 0.5 / cells))
        samples = [
            F.grid_sample(
                x, _grid(rows, columns, len(x)), padding_mode="border", align_corners=False
            )
            for rows in axes[0]
            for columns in axes[1]
        ]
        return torch.stack(samples).amax(0)


def _grid(rows: Tensor, columns: Tensor, count: int) -> Tensor:
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack((x, y), dim=-1).expand(count, -1, -1, -1)


class FourierDiffStride(nn.Module):
    """DiffStride on even maps as rfft2, mask, crop, irfft2."""

    def __init__(self, stride: tuple[float, float], smoothness: float = 4.0) -> None:
        super().__init__()
        self.stride = nn.Parameter(torch.tensor(stride))
        self.smoothness = smoothness

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to about (N, C, H / s + 2R, W / s + 2R)."""
        h, w = x.shape[2:]
        half = torch.tensor((h, w), device=x.device) / self.stride / 2
        rows = torch.arange(h, device=x.device)
        distance = torch.where(rows < h // 2, rows, h - 1 - rows)
        window_h = ((self.smoothness + half[0] - distance) / self.smoothness).clamp(0, 1)
        columns = torch.arange(w // 2 + 1, device=x.device)
        window_w = ((self.smoothness + half[1] + 1 - columns) / self.smoothness).clamp(0, 1)
        spectrum = torch.fft.rfft2(x) * window_h[:, None] * window_w
        kept = spectrum[:, :, window_h > 0][..., window_w > 0]
        return torch.fft.irfft2(kept)
