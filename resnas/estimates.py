"""What an estimate tells: values, without what computes them."""

from __future__ import annotations

from pydantic import Field

from resnas.results import Size, Value
from resnas.spec import Place


class SiteFacts(Value):
    """(H, W) behind one site, in pixels."""

    human_size: Size = Field(description="in the backbone as its authors made it")
    start_size: Size = Field(description="where a search starts")
    smallest: Size = Field(description="with every stride at its largest")
    largest: Size = Field(description="with every stride at its smallest")


class GroupFacts(Value):
    """One group of sites that share a size."""

    name: str
    sites: tuple[str, ...]
    size_in: Size
    human_size: Size
    sizes: dict[str, SiteFacts] = Field(description="by site")


class Estimate(Value):
    """What a backbone costs and what its search space reaches, in GMACs of one sample."""

    backbone: str
    input_size: tuple[int, int, int]
    output_size: tuple[int, ...] = Field(description="of one sample, without the batch")
    num_classes: int
    resizers: tuple[str, ...]
    place: Place | None
    layers: tuple[str, ...]
    human_gmacs: float
    start_gmacs: float
    min_gmacs: float
    max_gmacs: float
    params: int
    groups: tuple[GroupFacts, ...]
    fixed_sites: dict[str, str] = Field(description="sites left as they are, with the reason")
    counter: str
    convert_seconds: float = Field(description="that the conversion took, for the first resizer")
