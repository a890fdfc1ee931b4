"""What attackers send: ways out of folders, broken and endless JSON, bombs among the pictures.

All of it is answered with a problem; no file outside is opened, and memory stays flat.
"""

from __future__ import annotations

import json
import sys
from urllib.parse import quote

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.app import create_app
from service.settings import Settings
from tests.service.conftest import BODY, refused

JSON = {"Content-Type": "application/json"}
OUT = "outside/secret"
"""What is to be reached from the folder of data sets; there is an archive, a folder, a module."""

SPELLINGS = {
    "dots": f"../{OUT}",
    "encoded": quote(f"../{OUT}", safe="").replace(".", "%2e"),
    "encoded twice": quote(quote(f"../{OUT}", safe="").replace(".", "%2e")),
    "backslashes": f"..\\{OUT}".replace("/", "\\"),
    "parameters": f"..;/{OUT}",
    "filtered once": f"....//{OUT}",
    "overlong UTF-8": f"%c0%ae%c0%ae%c0%af{OUT}",
    "full width": f"．．／{OUT}",
    "cut by NUL": f"../{OUT}\0.png",
    "UNC": "\\\\server\\share\\secret",
    "drive": "C:\\secret",
    "home": "~/secret",
    "URL": "file:///etc/passwd",
    "metadata": "http://169.254.169.254/latest",
    "long": "a/../" * 2000 + OUT,
    "long in bytes": "€" * 190,
    "half a surrogate pair": "\ud800",
}
MORE = {"absolute": "{root}/outside/secret", "link": "link", "circle": "circle"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder of data sets, beside one that holds what must not be reached."""
    root = tmp_path_factory.mktemp("corpora")
    data, outside = root / "datasets", root / "outside"
    for folder in (data, root / "backbones", outside):
        folder.mkdir()
    labels = np.arange(40) % 2
    np.savez(outside / "secret.npz", x_train=np.zeros((40, 8, 8), np.uint8), y_train=labels)
    for name in ("secret", "inside"):
        fill(outside / name)
    (outside / "secret.py").write_text("raise SystemExit('it was run')")
    for link, target in {
        "link.npz": "secret.npz",
        "link": "secret",
        "parts/train": "secret/train",
        "classes/train/b": "secret/train/b",
        "pictures/train/b/0.png": "secret/train/b/0.png",
    }.items():
        path = data / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(outside / target)
    for folder in ("classes/train/a", "pictures/train/a"):
        write_png(data / folder / "0.png", 8, 8)
    (data / "circle.npz").symlink_to(data / "circle.npz")
    (data / "circle").symlink_to(data / "circle")
    (root / "backbones" / "link.py").symlink_to(outside / "secret.py")
    return root


def write_png(path, width, height):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)


def fill(folder):
    for name in ("a", "b"):
        for number in range(20):
            write_png(folder / "train" / name / f"{number}.png", 8, 8)


@pytest.fixture(scope="module")
def server(root):
    settings = Settings(
        data_dir=root / "data",
        datasets_dir=root / "datasets",
        backbones_dir=root / "backbones",
        worker=False,
    )
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        client.headers["Authorization"] = f"Bearer {settings.token_path.read_text().strip()}"
        yield client


_opened: list[str] | None = None


def _note(event, arguments):
    if _opened is not None and event in ("open", "socket.connect", "subprocess.Popen"):
        _opened.append(f"{event} {arguments}")


@pytest.fixture(scope="module")
def reached():
    """All files that are opened, programs that are started and addresses that are called."""
    global _opened
    _opened = []
    sys.addaudithook(_note)  # there is no way to take it away again
    yield _opened
    _opened = None


def places(text):
    """(what, method, path, body) of every place where a client's text goes."""
    for before in ("", "npz:", "imagefolder:", "tile:npz:", "part:0.5:imagefolder:"):
        name = before + text
        yield f"dataset {before}", "POST", "/v1/jobs", BODY | {"dataset": name}
        yield f"estimate {before}", "POST", "/v1/estimates", estimate(dataset=name)
    for before in ("", "own/", "timm/", "torchvision/"):
        name = before + text
        yield f"backbone {before}", "POST", "/v1/estimates", estimate(backbone=name)
    for field in ("resizer", "layers", "strategy", "place"):
        yield field, "POST", "/v1/jobs", BODY | {field: text if field != "resizer" else [text]}
    part = quote(text.encode(errors="surrogatepass"), safe="%")
    yield "cursor", "GET", f"/v1/jobs?cursor={part}", None
    for thing in ("jobs", "architectures", "exports"):
        yield thing, "GET", f"/v1/{thing}/{part}", None
    yield "content", "GET", f"/v1/exports/{part}/content", None
    yield "static", "GET", f"/docs/{part}", None


def estimate(**fields):
    return {"backbone": "mobilenet_small", "dataset": "digits"} | fields


def send(server, method, path, body):
    content = None if body is None else json.dumps(body)
    return server.request(method, path, content=content, headers=JSON)


@pytest.mark.parametrize("spelling", [*SPELLINGS, *MORE])
def test_no_spelling_of_a_name_leads_out(server, root, reached, spelling):
    text = (SPELLINGS | MORE)[spelling].replace("{root}", str(root))
    reached.clear()
    for what, method, path, body in places(text):
        answer = send(server, method, path, body)
        assert 400 <= answer.status_code < 500, (what, answer.text)
        refused(answer, answer.status_code)
    outside = [found for found in reached if "outside" in found or "passwd" in found]
    assert outside == []
    assert [found for found in reached if not found.startswith("open")] == []
    assert server.app.state.services.repository.jobs.page(1) == []


@pytest.mark.parametrize("name", ["parts", "classes", "pictures"])
def test_no_link_within_a_folder_of_pictures_leads_out(server, reached, name):
    reached.clear()
    answer = send(server, "POST", "/v1/estimates", estimate(dataset=f"imagefolder:{name}"))
    assert "link that leads out" in refused(answer, 422)["found"]
    assert not any("outside" in found for found in reached)


def test_what_is_watched_would_be_seen(server, root, reached):
    """The other tests can fail: a name that leads to a file is followed."""
    reached.clear()
    fill(root / "datasets" / "fine")
    answer = send(server, "POST", "/v1/estimates", estimate(dataset="imagefolder:fine"))
    assert answer.status_code == 200 or "picture" in answer.text or "pixels" in answer.text
    assert any("fine" in found for found in reached)
