"""The page's own files as the server sends them; what they do is tested in a browser."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import plotly
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.headers import SECURITY
from service.settings import Settings
from tests.service.conftest import refused

PAGE = Path(__file__).parents[2] / "service" / "dashboard"
MODULES = sorted(PAGE.glob("*.js"))
WEIGHT = 1.8e6  # bytes, of everything that a first visit loads


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A client without a token."""
    data_dir = tmp_path_factory.mktemp("dashboard")
    settings = Settings(data_dir=data_dir, executor="inline", worker=False, port=0)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield client


def linked(page):
    """The addresses of the files that the page names."""
    return [
        found.replace("&amp;", "&") for found in re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)
    ]


def test_a_stranger_gets_the_page_and_all_that_it_names(stranger):
    page = stranger.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    names = linked(page.text)
    assert {Path(name).name for name in names} >= {path.name for path in MODULES}
    for name in names:
        assert stranger.get(name).status_code == 200, name


def test_the_page_holds_no_script_style_or_foreign_address(stranger):
    page = stranger.get("/").text
    assert "{{" not in page
    assert not re.search(r"<style|\sstyle=|\son\w+=|//", page.replace("<!doctype", ""))
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_imports_only_what_is_there_and_makes_no_code_or_markup_of_text(module):
    text = module.read_text(encoding="utf-8")
    for name in re.findall(r"""(?:\bfrom |\bimport\()["'](\.[^"']+)["']""", text):
        assert (module.parent / name).is_file(), name
    found = re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )
    assert found == []


def test_what_a_first_visit_loads_is_light(stranger):
    names = ["/", *linked(stranger.get("/").text)]
    weight = 0
    for name in set(names):
        with stranger.stream("GET", name, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers.get("content-encoding") == "gzip", name
            weight += sum(len(part) for part in answer.iter_raw())
    assert weight < WEIGHT


def test_a_file_is_the_same_with_and_without_compression(stranger):
    plain = stranger.get("/assets/dom.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == (PAGE / "dom.js").read_bytes()
    with stranger.stream("GET", "/assets/dom.js", headers={"Accept-Encoding": "br, gzip"}) as small:
        assert gzip.decompress(b"".join(small.iter_raw())) == plain.content
        assert small.headers["etag"] == plain.headers["etag"]
        assert small.headers["vary"] == "Accept-Encoding"


def test_what_a_browser_has_is_not_sent_again(stranger):
    for name in ("/", "/assets/main.js"):
        first = stranger.get(name)
        assert first.headers["cache-control"] == "no-cache"
        again = stranger.get(name, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_the_charts_library_is_kept_for_good_under_its_version_only(stranger):
    [named] = [name for name in linked(stranger.get("/").text) if "plotly" in name]
    assert named.endswith(f"?v={plotly.__version__}")
    assert "immutable" in stranger.get(named).headers["cache-control"]
    for other in ("", "?v=0.0.0"):
        assert stranger.get(f"/assets/plotly.min.js{other}").headers["cache-control"] == "no-cache"


def test_nothing_but_the_files_of_the_page_is_sent(stranger):
    outside = ("../app.py", "..%2fapp.py", "%2e%2e/%2e%2e/pyproject.toml", "%2fetc%2fpasswd")
    for name in ("nothing.js", "index.html", "main.js%00", "a/b.js", "", *outside):
        answer = stranger.get(f"/assets/{name}", follow_redirects=False)
        assert answer.status_code in (401, 404), name  # 401: an address outside of the page's
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_file_that_is_not_there_is_a_problem_with_a_next_step(stranger):
    problem = refused(stranger.get("/assets/old.js"), 404)
    assert problem["next_step"] == "Load the page again"


def test_scripts_come_from_this_server_only_and_are_never_made_of_text():
    policy = dict(rule.split(" ", 1) for rule in SECURITY["Content-Security-Policy"].split("; "))
    assert policy["script-src"] == "'self'"
    assert policy["default-src"] == "'self'"
    assert "unsafe-inline" not in policy["style-src"]  # of attributes alone
    assert "unsafe-eval" not in SECURITY["Content-Security-Policy"]
