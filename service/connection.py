"""A connection to one server: what is asked as it is sent, and what is answered as values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx

from service.answers import Page
from service.client_errors import problem_of, unreachable
from service.client_sending import Found, parse, send_once
from service.client_tokens import named_token
from service.errors import InvalidSetting, NotFound
from service.lock import address, database_file, holder, lock_of
from service.settings import LOOPBACK, Settings

_LIKE = "Write it like http://127.0.0.1:8642"


class Connection:
    """Sends requests to one server.

    Args:
        url: of the server; null: `RESNAS_URL`, else where the server listens that uses the data
            directory of the settings, else this machine at their port.
        token: an API key, or the server's token; null: `RESNAS_TOKEN`, else the content of the file
            `RESNAS_TOKEN_FILE`, else the token in the data directory of the settings, which goes to
            the server of that directory only.
        patience: seconds to wait for each answer. With less than a minute, a connection that is
            refused is not tried again.

    Raises:
        InvalidSetting: `url` is no address, or what is named for its key is none.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, patience: float = 60.0
    ) -> None:
        settings = Settings.load()
        own, named = _listening(settings), url or os.environ.get("RESNAS_URL")
        self.url = named or own or f"http://127.0.0.1:{settings.port}"
        called = _address(self.url)
        if token is None:
            token = named_token()
        if token is None and _may_have_token(called, settings, own, by_name=bool(named)):
            token = _stored_token(settings.token_path)
        self._http = httpx.Client(
            base_url=called,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            transport=httpx.HTTPTransport(retries=2 if patience >= 60 else 0),
            timeout=httpx.Timeout(patience, connect=min(patience, 5)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ready(self) -> bool:
        """Whether the server is up and can reach its database."""
        try:
            return self._http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def _pages(
        self, kind: type[Found], path: str, query: Mapping[str, str] | None = None
    ) -> Iterator[Found]:
        following = dict(query or {})
        while True:
            page = self._get(Page, path, following)
            for item in page.items:
                yield parse(kind, item, path)
            if page.next_cursor is None:
                return
            following["cursor"] = page.next_cursor

    def _get(self, kind: type[Found], path: str, query: Mapping[str, str] | None = None) -> Found:
        return parse(kind, self._send("GET", path, query=query).content, path)

    def _post(self, kind: type[Found], path: str, body: Mapping[str, Any] | None = None) -> Found:
        return parse(kind, self._send("POST", path, body=body).content, path)

    def _post_once(
        self,
        kind: type[Found],
        path: str,
        key: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Found:
        response = send_once(self._http, path, key=key, query=query, body=body)
        return parse(kind, response.content, path)

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, params=query, json=body)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if not response.is_success:
            raise problem_of(response)
        return response


def _address(url: str) -> httpx.URL:
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidSetting("RESNAS_URL", f"{url!r}: {error}", _LIKE) from error
    if found.scheme not in ("http", "https") or not found.host:
        raise InvalidSetting("RESNAS_URL", f"{url!r} is no address of a server", _LIKE)
    return found


def _listening(settings: Settings) -> str | None:
    """Where the server of the data directory listens: as it has written it down, if it runs."""
    with suppress(InvalidSetting, OSError):  # of a database that a client does not need
        lock = lock_of(database_file(settings)) if settings.on_sqlite else None
        return address(lock) if lock and holder(lock) else None
    return None


def _may_have_token(
    called: httpx.URL, settings: Settings, own: str | None, *, by_name: bool
) -> bool:
    """Whether the data directory's token, which opens everything, may go to the address `called`.

    Anybody may listen there, and would read it. So its server must have written that address down;
    or, where it cannot, it is on this machine and the user has named what belongs together.
    """
    if own and _is_same(called, httpx.URL(own)):
        return True
    if called.host not in LOOPBACK:
        return False
    return not settings.on_sqlite or (by_name and bool(os.environ.get("RESNAS_DATA_DIR")))


def _is_same(one: httpx.URL, other: httpx.URL) -> bool:
    hosts = {one.host, other.host}
    return (one.scheme, one.port) == (other.scheme, other.port) and (
        len(hosts) == 1 or hosts <= LOOPBACK
    )


def _stored_token(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None  # without it the server says what is missing


def segment(text: str) -> str:
    """An id as one segment of a path, so that no id can lead anywhere else.

    Raises:
        NotFound: it is empty, and would lead to the list of all.
    """
    if not text:
        raise NotFound("id", "the id is empty", "They are listed by 'resnas jobs'")
    return quote(text, safe="")
