"""What data sets share: holding out samples, statistics, and the augmentation of small pictures."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from resnas.datasets._base import Images, Split
from resnas.errors import DatasetUnavailable

_CHUNK = 256  # pictures turned into floating point at a time
_SAMPLE = 4096  # pictures looked at where looking at all of them would take too long
_TENTH = 0.1  # of train, which becomes the validation split
_AREA = (0.08, 1.0)  # of the picture that a random part has, and its width / height
_ASPECT = (3 / 4, 4 / 3)


def holdout(labels: Tensor, share: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Indices (kept, held out) of a stratified split, each sorted.

    The samples are shuffled, ordered by class, and every (1 / share)-th is held out, so each
    class gives its share to within one sample and the number held out is exact: round(share · N),
    which may be none.

    Args:
        labels: (N,) int64.
        share: of the samples that is held out, between 0 and 1.
        seed: of the shuffle.
    """
    count = len(labels)
    total = round(share * count)
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[torch.argsort(labels[shuffled], stable=True)]
    position = torch.arange(count)
    held = (position + 1) * total // count > position * total // count
    return by_class[~held].sort().values, by_class[held].sort().values


def require_tenth(count: int, place: str) -> None:
    """Refuse a training split of `count` samples from which no validation split can be taken.

    Args:
        count: of the samples.
        place: the data set as the user named it, for the message.

    Raises:
        DatasetUnavailable: a tenth of them rounds to none.
    """
    if round(_TENTH * count) == 0:
        raise DatasetUnavailable(
            place,
            f"it has no validation split, and a tenth of its {count} training pictures is none",
            "Bring a validation split, or more training pictures: 6 at least",
        )


def tenth(labels: Tensor, place: str) -> tuple[Tensor, Tensor]:
    """Indices (train, val): a tenth of `labels` (N,), stratified, seed 0, is held out.

    Raises:
        DatasetUnavailable: a tenth of them rounds to none; names `place`.
    """
    require_tenth(len(labels), place)
    return holdout(labels, _TENTH)


def with_validation(train: Split, place: str) -> tuple[Split, Split]:
    """(train, val): a tenth of `train`, stratified, seed 0, becomes the validation split.

    Raises:
        DatasetUnavailable: a tenth of it rounds to none; names `place`.
    """
    kept, held = tenth(train.labels, place)
    return train.subset(kept), train.subset(held)


def spread(count: int) -> Tensor:
    """Places of at most 4096 of `count` things, evenly spaced."""
    number = min(count, _SAMPLE)
    return torch.arange(number) * count // number


def statistics(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of pictures scaled to 0..1.

    Of all pictures in memory; of at most 4096, evenly spaced, where they are read anew each time.
    The deviation is at least one grey level, so that dividing by it is always possible.
    """
    total = squares = torch.zeros(1, dtype=torch.float64)
    pixels = 0
    count = len(images)
    seen = torch.arange(count) if isinstance(images, Tensor) else spread(count)
    for index in torch.split(seen, _CHUNK):
        chunk = images[index].float() / 255
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


def random_resized_crop(images: Tensor, generator: torch.Generator) -> Tensor:
    """A random part of each picture at the picture's full size, mirrored half of the time.

    The parts of Szegedy et al. (2015): 8 to 100 % of the area, evenly; width / height from 3/4 to
    4/3, evenly in its logarithm, which a part that would leave the picture loses; bilinear.

    Args:
        images: (B, C, H, W), any dtype, which is kept.
        generator: where all randomness comes from.
    """
    batch, _, height, width = images.shape
    area, aspect, top, left, mirror = torch.rand(
        5, batch, 1, generator=generator, device=generator.device
    ).to(images.device)
    area = _AREA[0] + (_AREA[1] - _AREA[0]) * area
    root = (math.log(_ASPECT[0]) * (1 - aspect) + math.log(_ASPECT[1]) * aspect).div(2).exp()
    side = (area * (height * width)).sqrt()
    tall, wide = (side / root).clamp(max=height) / height, (side * root).clamp(max=width) / width
    # centres of the part's pixels, -1 and 1 being the borders of the picture
    rows = 2 * ((1 - tall) * top + tall * _centres(height, images.device)) - 1
    columns = 2 * ((1 - wide) * left + wide * _centres(width, images.device)) - 1
    columns = torch.where(mirror < 0.5, columns.flip(1), columns)
    shape = (batch, height, width)
    grid = torch.stack((columns[:, None, :].expand(shape), rows[:, :, None].expand(shape)), dim=3)
    parts = grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
    return parts.to(images.dtype) if images.is_floating_point() else parts.round().to(images.dtype)


def _centres(count: int, device: torch.device) -> Tensor:
    """Where the centres of `count` cells of one unit lie, (count,)."""
    return (torch.arange(count, device=device) + 0.5) / count
