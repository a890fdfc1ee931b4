"""What there is to choose from, and what a choice can reach."""

from __future__ import annotations

import importlib
import inspect
from typing import Annotated

from fastapi import APIRouter, Query

from resnas import catalog
from resnas.catalog import Catalog
from resnas.estimates import Estimate
from service import checked
from service.deps import PrincipalDep, SettingsDep
from service.schemas import BackbonePage, EstimateRequest, Named, Page

Match = Annotated[str | None, Query(max_length=200, description="a pattern like timm/resnet*")]

router = APIRouter(prefix="/v1", tags=["catalogues"])


@router.get("/backbones")
def list_backbones(settings: SettingsDep, match: Match = None) -> BackbonePage:
    """What can be searched: the server's own backbones, or those that a pattern fits.

    The models of timm and torchvision, over a thousand, are listed only where a pattern asks for
    them.
    """
    from resnas import backbones

    with backbones.own_from(settings.backbones_dir):
        names = backbones.names() if match is None else backbones.matching(match)
        items = [Named(name=name, about=backbones.about(name)) for name in names]
    return BackbonePage(items=items, patterns=backbones.patterns())


@router.get("/datasets")
def list_datasets() -> Page[Named]:
    """What can be trained on."""
    return Page(
        items=[Named(name=n, about=catalog.datasets[n].about) for n in catalog.datasets.names()]
    )


@router.get("/resizers")
def list_resizers() -> Page[Named]:
    """What can stand where a backbone changes its resolution."""
    return _entries(catalog.resizers)


@router.get("/layers")
def list_layers() -> Page[Named]:
    """What can stand where a backbone has convolutions or pools."""
    return _entries(catalog.layers)


@router.get("/strategies")
def list_strategies() -> Page[Named]:
    """How the trials of a search can be chosen."""
    return _entries(catalog.strategies)


@router.post("/estimates")
def make_estimate(
    body: EstimateRequest, settings: SettingsDep, principal: PrincipalDep
) -> Estimate:
    """What a backbone costs on a data set, and which costs can be reached."""
    from resnas import backbones

    with backbones.own_from(settings.backbones_dir):
        return checked.estimate(body, settings.datasets_dir, principal)


def _entries(found: Catalog) -> Page[Named]:
    names = found.names()
    return Page(items=[Named(name=n, about=_about(f"{found.package}.{n}")) for n in names])


def _about(module: str) -> str:
    """The first line of what a file says about itself."""
    return (inspect.getdoc(importlib.import_module(module)) or "").partition("\n")[0]
