"""What data sets share: holding out samples, statistics, and the augmentation of small pictures."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from resnas.datasets._base import Images, Split

_CHUNK = 1024  # pictures turned into floating point at a time


def holdout(labels: Tensor, share: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Indices (kept, held out) of a stratified split, each sorted.

    The samples are shuffled, ordered by class, and every (1 / share)-th is held out, so each
    class gives its share to within one sample and the number held out is exact: round(share · N),
    at least one.

    Args:
        labels: (N,) int64.
        share: of the samples that is held out, between 0 and 1.
        seed: of the shuffle.
    """
    count = len(labels)
    total = max(1, round(share * count))
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[torch.argsort(labels[shuffled], stable=True)]
    position = torch.arange(count)
    held = (position + 1) * total // count > position * total // count
    return by_class[~held].sort().values, by_class[held].sort().values


def with_validation(train: Split) -> tuple[Split, Split]:
    """(train, val): a tenth of `train`, stratified, seed 0, becomes the validation split."""
    kept, held = holdout(train.labels, 0.1)
    return train.subset(kept), train.subset(held)


def statistics(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of pictures scaled to 0..1.

    The deviation is at least one grey level, so that dividing by it is always possible.
    """
    total = squares = torch.zeros(1, dtype=torch.float64)
    pixels = 0
    for start in range(0, len(images), _CHUNK):
        chunk = images[torch.arange(start, min(start + _CHUNK, len(images)))].float() / 255
        total = total + chunk.sum(dim=(0, 2, 3), dtype=torch.float64)
        squares = squares + (chunk * chunk).sum(dim=(0, 2, 3), dtype=torch.float64)
        pixels += chunk[:, 0].numel()
    mean = total / pixels
    std = (squares / pixels - mean * mean).clamp(min=255**-2).sqrt()
    return tuple(mean.tolist()), tuple(std.tolist())


def random_crop(
    images: Tensor, padding: int, generator: torch.Generator, *, flip: bool = True
) -> Tensor:
    """Each picture moved by up to `padding` pixels over black, and mirrored half of the time.

    One gather for the whole batch: its indices hold the shift and the mirroring of each sample.

    Args:
        images: (B, C, H, W), any dtype, which is kept.
        padding: pixels of black on every side, from which H × W are cropped.
        generator: where all randomness comes from.
        flip: whether pictures are mirrored left to right.
    """
    batch, channels, height, width = images.shape
    place = generator.device
    shift = torch.randint(2 * padding + 1, (2, batch, 1), generator=generator, device=place)
    rows = shift[0] + torch.arange(height, device=place)
    columns = torch.arange(width, device=place).expand(batch, width)
    if flip:
        mirrored = torch.rand((batch, 1), generator=generator, device=place) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    columns = columns + shift[1]
    pixel = (rows[:, :, None] * (width + 2 * padding) + columns[:, None, :]).view(batch, 1, -1)
    padded = pad(images, (padding,) * 4).flatten(2)
    moved = padded.gather(2, pixel.to(images.device).expand(-1, channels, -1))
    return moved.view(batch, channels, height, width)
