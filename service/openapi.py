"""The API's description: errors and headers as they are, and how one call leads to others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.auth import ON_LOOPBACK, PUBLIC
from service.idempotency import REPLAYED
from service.observing import HEADER
from service.problems import MEDIA_TYPE, Problem

_Operation = dict[str, Any]

_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 0}
_HEADERS: dict[str, tuple[str, Any]] = {
    HEADER: (
        "The name of the request in the log: yours where it can be one, else new",
        _TEXT,
    ),
    "ETag": ("This version of the answer; send it as If-None-Match", _TEXT),
    "Location": ("Where what was asked for is found", _TEXT),
    "Retry-After": ("Seconds until it is worth asking again", _SECONDS),
    "WWW-Authenticate": ("How to say who you are", _TEXT),
    "Content-Range": ("How much there is", _TEXT),
    REPLAYED: ("`true` where this was answered to an earlier request under the same key", _TEXT),
}
_SUCCESS = {"200": "As asked for", "202": "Accepted; it is durable, not necessarily begun"}
_ERRORS = {
    400: "The cursor is not one of this list, or the request is no HTTP",
    401: "No token or key, or one that is not valid",
    403: "The key is not good for this, the request comes from a foreign page, or it asks for more "
    "than its owner may have",
    404: "There is none, or it is not yours",
    409: "The state of the thing does not allow this, or the same request is being carried out",
    408: "The body did not come in time",
    413: "The body is too large",
    416: "The file has no such part",
    421: "The server is not called by a name that it serves",
    422: "The request does not say what is needed, or what it asks for is not possible",
    429: "Too many requests, or too much that waits or is open",
    500: "A fault of the server",
    503: "The database or the storage does not answer, or the server is stopping",
}
_SPELLING = {name.lower(): name for name in ("Idempotency-Key", "If-None-Match", "Last-Event-ID")}
_CONFLICTS = {"submit", "cancel_job", "retry_job", "ask_export", "fetch_export"}
_LOOKED_UP = {"draw_fronts", "draw_ladders"}
_OF_ERRORS = {401: "WWW-Authenticate", 409: "Retry-After", 416: "Content-Range"}
_OF_ERRORS |= dict.fromkeys((429, 503), "Retry-After")

_JOB = {
    "show_job": "How it is",
    "cancel_job": "End it",
    "list_trials": "Its trials",
    "show_front": "Its front so far",
    "draw_front": "A figure of it",
    "draw_curves": "How its trials learn",
    "list_events": "What happens to it",
}
_EXPORT = {"show_export": "How it is", "fetch_export": "Its file, once it has succeeded"}
_FOUND = {
    "show_architecture": "The cheapest network of the front",
    "show_profile": "The same, layer by layer",
    "draw_ladder": "Its feature maps",
    "draw_layers": "Its cost by layer",
}
_LINKS: dict[tuple[str, str], tuple[str, str, dict[str, str]]] = {
    ("submit", "202"): ("job_id", "$response.body#/id", _JOB),
    ("list_jobs", "200"): ("job_id", "$response.body#/items/0/id", _JOB),
    ("show_front", "200"): ("architecture_id", "$response.body#/points/0/architecture_id", _FOUND),
    ("show_front_across", "200"): (
        "architecture_id",
        "$response.body#/points/0/architecture_id",
        _FOUND,
    ),
    ("ask_export", "202"): ("export_id", "$response.body#/id", _EXPORT),
}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "submit": {"backbone": "vgg_small", "dataset": "digits", "budget_gmacs": 0.004},
    "make_estimate": {"backbone": "vgg_small", "dataset": "digits"},
    "ask_export": {"format": "onnx"},
}


def install(app: FastAPI) -> None:
    """Describe `app`, once, when somebody asks for it."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # FastAPI's own way to replace it


def _describe(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's, which we never answer
        schemas.pop(name, None)
    own = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= own.pop("$defs") | {"Problem": own}
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    components["headers"] = {
        name: {"description": about, "schema": kind} for name, (about, kind) in _HEADERS.items()
    }
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path, method)
    return schema


def _complete(operation: _Operation, path: str, method: str) -> None:
    """What FastAPI does not know of an operation: its errors, headers, links, an example."""
    name, answers = operation["operationId"], operation["responses"]
    answers.pop("422", None)  # FastAPI's, which we never answer
    for status, answer in answers.items():
        if answer["description"] == "Successful Response":
            answer["description"] = _SUCCESS[status]
        _promise(answer, *_headers(operation, status))
        if link := _LINKS.get((name, status)):
            answer["links"] = _links(*link)
    if _is_revalidated(operation):
        unchanged = {"description": "You have this version already"}
        answers["304"] = _promise(unchanged, HEADER, "ETag")
    for status in _errors(operation, path, method):
        answers[str(status)] = _error(_ERRORS[status], _OF_ERRORS.get(status))
    answers["default"] = _error("What went wrong, where, and what to do next")
    if path not in PUBLIC:
        operation["security"] = [{"token": []}]
    if path in ON_LOOPBACK - PUBLIC:
        operation["security"].append({})  # none is asked for where only this machine can connect
    for parameter in operation.get("parameters", ()):
        parameter["name"] = _SPELLING.get(parameter["name"], parameter["name"])
    if name in _EXAMPLES:
        content = operation["requestBody"]["content"]["application/json"]
        content["examples"] = {"small": {"value": _EXAMPLES[name]}}


def _headers(operation: _Operation, status: str) -> Iterator[str]:
    """The headers of an answer of success."""
    yield HEADER
    if status in ("200", "206") and _is_revalidated(operation):
        yield "ETag"
    if status == "202":
        yield "Location"
    if status in ("200", "202") and _takes(operation, "idempotency-key"):
        yield REPLAYED


def _errors(operation: _Operation, path: str, method: str) -> Iterator[int]:
    """The errors that an operation can come to."""
    yield from (421, 429, 500, 503)
    if path not in PUBLIC:
        yield from (401, 403)
    if "{" in path or operation["operationId"] in _LOOKED_UP:
        yield 404
    if operation.get("parameters") or method == "post":
        yield from (400, 422)
    if method == "post":
        yield from (408, 413)
    if operation["operationId"] in _CONFLICTS:
        yield 409
    if operation["operationId"] == "fetch_export":
        yield 416


def _is_revalidated(operation: _Operation) -> bool:
    return _takes(operation, "if-none-match")


def _takes(operation: _Operation, header: str) -> bool:
    return any(found["name"].lower() == header for found in operation.get("parameters", ()))


def _error(description: str, header: str | None = None) -> dict[str, Any]:
    answer = {"description": description, "content": _PROBLEM}
    return _promise(answer, *filter(None, (HEADER, header)))


def _promise(answer: dict[str, Any], *headers: str) -> dict[str, Any]:
    answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return answer


def _links(parameter: str, expression: str, targets: dict[str, str]) -> dict[str, Any]:
    return {
        name: {"operationId": name, "parameters": {parameter: expression}, "description": about}
        for name, about in targets.items()
    }
