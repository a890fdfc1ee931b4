"""The API's description for a person: a page without scripts, made from what programs read."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code { font-size: 0.95em }
h3 { margin-bottom: 0 }
dt { float: left; clear: left; min-width: 12rem }
dd { margin-left: 12rem }
"""


@router.get("/docs")
def page(request: Request) -> HTMLResponse:
    """All that the server can be asked."""
    return HTMLResponse(_page(request.app.openapi()))


@router.get("/docs.css")
def style() -> Response:
    """How that page looks."""
    return Response(_STYLE, media_type="text/css")


def _page(schema: dict[str, Any]) -> str:
    about = schema["info"]
    operations = "\n".join(
        _operation(method, path, operation)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(about["title"])}</title>
<link rel="stylesheet" href="/docs.css">
</head>
<body>
<h1>{escape(about["title"])} {escape(about["version"])}</h1>
<p>{escape(about["description"])}</p>
<p>Requests under <code>/v1</code> carry the header <code>Authorization: Bearer …</code> with an API
key or the server's token. Bodies and answers are JSON; errors are <code>application/problem+json
</code>. All schemas are in <a href="/openapi.json">openapi.json</a>, which most API programs
read.</p>
{operations}
</body>
</html>
"""


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    facts = "".join(
        f"<dt><code>{escape(n)}</code></dt><dd>{escape(t)}</dd>" for n, t in _facts(operation)
    )
    return (
        f"<h3><code>{method.upper()} {escape(path)}</code></h3>\n"
        f"<p>{escape(operation.get('description', ''))}</p>\n"
        f"<dl>{facts}</dl>"
    )


def _facts(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What it takes and answers: a name, and some words."""
    for parameter in operation.get("parameters", ()):
        need = "required" if parameter.get("required") else "optional"
        words = parameter.get("description") or parameter["schema"].get("description", "")
        yield parameter["name"], f"{parameter['in']}, {need}. {words}".strip()
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "body", _name(content["schema"])
    for status, answer in operation["responses"].items():
        shown = ", ".join(
            _name(found.get("schema", {})) for found in answer.get("content", {}).values()
        )
        yield status, " ".join(filter(None, (f"{answer['description']}.", shown)))


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
