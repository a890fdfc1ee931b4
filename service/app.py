"""The HTTP server: wiring only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from service import openapi, problems
from service.auth import Authentication, read_or_create_token
from service.compression import Compression
from service.deps import Services
from service.headers import SecurityHeaders
from service.hosts import AllowedHosts
from service.limits import RequestLimits
from service.metrics import Figures
from service.observing import Observed, Traffic
from service.readiness import Readiness
from service.routes import (
    architectures,
    catalogs,
    dashboard,
    description,
    events,
    figures,
    fronts,
    health,
    jobs,
    keys,
)
from service.settings import Settings
from service.store.repository import Repository
from service.streaming import Feed
from service.upkeep import Upkeep
from service.warming import warm
from service.worker import Worker, own_repository


def create_app(settings: Settings) -> FastAPI:
    """The server for `settings`; it opens the database when it starts, and runs jobs if it shall.

    Raises:
        StartRefused: the data directory cannot be used; at start also: the database cannot.
    """
    settings.prepare()
    token = read_or_create_token(settings.token_path)
    stopping, traffic = threading.Event(), Traffic()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        repository = await run_in_threadpool(
            Repository.open, settings.database, durable=settings.durable
        )
        own = own_repository(settings)
        worker = Worker(settings, own) if settings.worker else None
        upkeep = Upkeep(settings, own)
        feed = Feed(repository, stopping)
        readiness = Readiness(settings, repository, warm(), stopping)
        app.state.services = Services(
            settings, repository, feed, Figures(repository), readiness, stopping
        )
        listening = asyncio.create_task(feed.run())
        upkeep.start()
        if worker:
            worker.start()
        try:
            yield
        finally:
            listening.cancel()
            if worker:
                await run_in_threadpool(worker.stop)
            await run_in_threadpool(upkeep.stop)
            own.close()
            repository.close()

    app = FastAPI(
        title="resnas",
        version=_version(),
        description="Differentiable architecture-resolution search as a service.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.stopping, app.state.traffic = stopping, traffic
    problems.install(app)
    openapi.install(app)
    for resource in (
        dashboard,
        health,
        description,
        jobs,
        events,
        fronts,
        figures,
        architectures,
        catalogs,
        keys,
    ):
        app.include_router(resource.router)
    # Each one is in front of those before it.
    app.add_middleware(Compression)
    app.add_middleware(RequestLimits)
    app.add_middleware(Authentication, token=token, settings=settings)
    app.add_middleware(AllowedHosts, names=settings.names)
    app.add_middleware(Observed, traffic=traffic)
    app.add_middleware(SecurityHeaders)
    return app


def _version() -> str:
    try:
        return version("resnas")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0"
