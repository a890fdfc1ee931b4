"""Pictures for the examples: circles, squares, triangles and rings before crops of photographs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

KINDS = ("circle", "ring", "square", "triangle")


def draw_folder(folder: Path, size: int, per_class: dict[str, int], seed: int = 0) -> None:
    """An image folder, `<split>/<class>/<number>.png`.

    Args:
        folder: made where missing.
        size: of every picture, height and width.
        per_class: how many pictures of each class a split has.
        seed: the same pictures for the same seed.
    """
    random = np.random.default_rng(seed)
    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    for split, count in per_class.items():
        for kind in KINDS:
            place = folder / split / kind
            place.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                picture = _crop(photographs[random.integers(len(photographs))], size, random)
                _draw(picture, kind, random)
                picture.save(place / f"{number:04d}.png")


def _crop(photograph: Image.Image, size: int, random: np.random.Generator) -> Image.Image:
    left = int(random.integers(photograph.width - 2 * size))
    top = int(random.integers(photograph.height - 2 * size))
    crop = photograph.crop((left, top, left + 2 * size, top + 2 * size)).resize((size, size))
    return Image.eval(crop, lambda value: value // 2)  # darker, so that every shape stands out


def _draw(picture: Image.Image, kind: str, random: np.random.Generator) -> None:
    """One shape of a random place, size, turn and colour."""
    pen, size = ImageDraw.Draw(picture), picture.width
    radius = size * random.uniform(0.18, 0.34)
    x, y = (random.uniform(radius, size - radius) for _ in range(2))
    colour = tuple(int(part) for part in random.integers(128, 256, 3))
    around = (x - radius, y - radius, x + radius, y + radius)
    if kind == "circle":
        pen.ellipse(around, fill=colour)
    elif kind == "ring":
        pen.ellipse(around, outline=colour, width=max(2, round(radius / 3)))
    else:
        corners, turn = (4 if kind == "square" else 3), random.uniform(0, math.tau)
        angles = (turn + math.tau * corner / corners for corner in range(corners))
        pen.polygon([(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles], colour)
