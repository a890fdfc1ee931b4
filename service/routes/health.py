"""Whether the server lives, whether it can work, and its figures."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.deps import ServicesDep
from service.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Health:
    """The process answers; whatever it depends on."""
    return Health()


@router.get("/readyz")
async def readyz(services: ServicesDep) -> Health:
    """It can work: the database answers and has our schema, there is room, and it goes on."""
    await services.readiness.check()
    return Health()


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "As Prometheus reads them", "content": {"text/plain": {}}}},
)
def metrics(services: ServicesDep) -> Response:
    """Figures: requests, the queue, leases, trials, fronts."""
    return Response(services.figures.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
