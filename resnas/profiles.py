"""What a profile tells of a network, map by map: values, without what computes them."""

from __future__ import annotations

from pydantic import Field

from resnas.results import Size, Value


class MapFacts(Value):
    """What one layer puts out, and what that costs, beside the backbone as people designed it."""

    name: str = Field(description="path of the layer's module, or name of its node")
    kind: str = Field(description="what the layer is, in a word: conv, linear, pool, resizer, ...")
    channels: int | None
    size: Size | None = Field(description="(H, W) of its map; null for a vector")
    macs: int = Field(description="multiply-accumulates of one sample")
    human_size: Size | None = Field(
        description="in the backbone; behind a resizer, that of the site where it stands"
    )
    human_macs: int | None = Field(description="in the backbone; null where it has no such layer")


class Profile(Value):
    """An architecture layer by layer, in the order of the network."""

    backbone: str
    input_size: tuple[int, int, int] = Field(description="(C, H, W) of one sample")
    gmacs: float
    human_gmacs: float = Field(description="of the backbone as people designed it")
    counter: str
    maps: tuple[MapFacts, ...]
