"""The HTTP server: wiring only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from service import openapi, problems
from service.auth import BearerToken, LoopbackHosts, read_or_create_token
from service.deps import Services
from service.limits import BodyLimit
from service.routes import architectures, catalogs, health, jobs
from service.settings import Settings
from service.store.repository import Repository
from service.worker import CONNECTIONS, Worker


def create_app(settings: Settings) -> FastAPI:
    """The server for `settings`; it opens the database when it starts, and runs jobs if it shall.

    Raises:
        StartRefused: the data directory cannot be used; at start also: the database cannot.
    """
    settings.prepare()
    token = read_or_create_token(settings.token_path)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        repository = await run_in_threadpool(Repository.open, settings.database)
        own = Repository.connect(settings.database, CONNECTIONS)
        worker = Worker(settings, own) if settings.worker else None
        app.state.services = Services(settings, repository)
        if worker:
            worker.start()
        try:
            yield
        finally:
            if worker:
                await run_in_threadpool(worker.stop)
            own.close()
            repository.close()

    app = FastAPI(
        title="resnas",
        version=_version(),
        description="Differentiable architecture-resolution search as a service.",
        lifespan=lifespan,
        redoc_url=None,
    )
    problems.install(app)
    openapi.install(app)
    for resource in (health, jobs, architectures, catalogs):
        app.include_router(resource.router)
    app.add_middleware(BodyLimit)
    app.add_middleware(BearerToken, token=token)
    if settings.on_loopback:
        app.add_middleware(LoopbackHosts)
    return app


def _version() -> str:
    try:
        return version("resnas")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0"
