"""Broken, endless and ambiguous JSON, and endless headers: each is answered with a problem."""

from __future__ import annotations

import json
import pickle

import pytest

from service.limits import fault
from tests.service.conftest import BODY, refused
from tests.service.memory import MEBIBYTE, Peak
from tests.service.stored import CONTENT, succeeded

JSON = {"Content-Type": "application/json"}

DOCUMENTS = {
    "nested lists": b"[" * 100_000,
    "nested lists, closed": b"[" * 200 + b"]" * 200,
    "nested objects": b'{"a":' * 100_000,
    "nested in a field": json.dumps(BODY)[:-1].encode()
    + b', "layers": '
    + b"[" * 17
    + b"]" * 17
    + b"}",
    "a wide object": json.dumps({f"m{n}": n for n in range(50_000)}).encode(),
    "a wide list": json.dumps(BODY | {"resizer": ["dynopool"] * 60_000}).encode(),
    "ten thousand digits": json.dumps(BODY).replace("0.01", "1" * 10_000).encode(),
    "a great exponent": json.dumps(BODY).replace("0.01", "1e400").encode(),
    "a small exponent": json.dumps(BODY).replace("0.01", "1e-400").encode(),
    "NaN": json.dumps(BODY).replace("0.01", "NaN").encode(),
    "Infinity": json.dumps(BODY).replace("0.01", "Infinity").encode(),
    "-Infinity": json.dumps(BODY | {"search": {"open": {"lr": [0.1, 1]}}})
    .replace("0.1", "-Infinity")
    .encode(),
    "a member twice": json.dumps(BODY)[:-1].encode() + b', "dataset": "npz:x"}',
    "NUL": json.dumps(BODY | {"strategy": "swe\0ep"}).encode(),
    "half a pair": json.dumps(BODY | {"strategy": "\udfff"}).encode(),
    "half a pair as a name": json.dumps(BODY | {"\ud800": 1}).encode(),
    "Latin-1": json.dumps(BODY | {"strategy": "ä"}, ensure_ascii=False).encode("latin-1"),
    "UTF-16": json.dumps(BODY | {"x": 1}).encode("utf-16"),
    "zeros": b"\0" * 1000,
    "a pickle": pickle.dumps(BODY),
    "two documents": json.dumps(BODY).encode() * 2,
    "too long": json.dumps(BODY | {"strategy": "s" * 2**20}).encode(),
    "blanks": b" " * (2**20 - 1),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_document_breaks_the_server(client, stored, name):
    for path in ("/v1/jobs", "/v1/estimates"):
        answer = client.post(path, content=DOCUMENTS[name], headers=JSON)
        refused(answer, answer.status_code)
        assert answer.status_code in (400, 413, 422)
    assert stored.jobs.page(1) == []


def test_memory_stays_flat_whatever_is_sent(client):
    client.post("/v1/jobs", json=BODY)
    peak = Peak()
    for _ in range(3):
        for document in DOCUMENTS.values():
            client.post("/v1/jobs", content=document, headers=JSON)
    assert peak.above() < 50 * MEBIBYTE


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (b'{"a": {"b": 1, "b": 2}}', "'b' stands there twice"),
        (b'[{"": 1, "": 2}]', "'' stands there twice"),
        (b"[" * 257, "more than 256 brackets"),
        (b"[1" + b",1" * 2001 + b"]", "more than 2000 commas"),
        (b"[" * 17 + b"]" * 17, "deeper than 16"),
        (b"1" * 41, "more than 40 digits"),
        (b"-" + b"1" * 41, "more than 40 digits"),
        (b'"\\u0000"', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'["\\udc00\\ud800"]', "surrogate"),
    ],
)
def test_json_that_two_readers_read_apart_is_told_of(document, found):
    assert found in fault(document)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"null",
        b'{"a": [1, 2.5, "\\ud83e\\udd8a"], "b": {"a": 1}}',
        b"[" * 16 + b"]" * 16,
        b"1" * 40,
    ],
)
def test_other_json_is_left_to_its_reader(document):
    assert fault(document) is None


def test_a_range_of_ten_thousand_parts_is_one_cheap_answer(client, stored, settings):
    theirs = succeeded(stored, settings.artifacts, "ann")
    path = f"/v1/exports/{theirs.export_id}/content"
    parts = ",".join(f"{n}-{n}" for n in range(10_000))
    for asked in (f"bytes={parts}", "bytes=" + "0-," * 10_000 + "0-"):
        answer = client.get(path, headers={"Range": asked})
        refused(answer, 416)
    assert client.get(path, headers={"Range": "bytes=1-3"}).content == CONTENT[1:4]
    assert client.get(path).content == CONTENT
