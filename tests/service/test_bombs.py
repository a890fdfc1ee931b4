"""Bombs among the pictures: a few bytes that would fill the memory, or run a program."""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnas.datasets._base import load
from resnas.errors import DatasetUnavailable
from service.settings import Settings
from tests.service.conftest import BODY, refused
from tests.service.memory import MEBIBYTE, Peak


def png(width, height):
    """A PNG that declares a size, and has nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def npy(shape, dtype, content=b""):
    """The start of a stored array, and some of its content."""
    file = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue() + content


def deflated(start, mebibytes):
    """`start` and so many mebibytes of zeros, packed without being there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return packed + zeros * mebibytes + packer.flush()


def write_zip(path, members):
    """An archive of (start, mebibytes of zeros) by name; nobody reads as far as the checksums."""
    listed, file = [], io.BytesIO()
    for name, (start, mebibytes) in members.items():
        packed, size = deflated(start, mebibytes), len(start) + mebibytes * MEBIBYTE
        checksum = 0 if mebibytes else zlib.crc32(start)
        facts = struct.pack("<HHHH", 20, 0, 8, 0) + struct.pack(
            "<HIIIHH", 33, checksum, len(packed), size, len(name), 0
        )
        central = b"PK\x01\x02" + struct.pack("<H", 20) + facts
        listed.append(central + struct.pack("<HHHII", 0, 0, 0, 0, file.tell()) + name.encode())
        file.write(b"PK\x03\x04" + facts + name.encode() + packed)
    directory = b"".join(listed)
    end = struct.pack("<HHHHIIH", 0, 0, len(listed), len(listed), len(directory), file.tell(), 0)
    path.write_bytes(file.getvalue() + directory + b"PK\x05\x06" + end)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def fill(folder, picture):
    for number in range(40):
        path = folder / "train" / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)


def write_pictures(data: Path) -> dict[str, str]:
    """Folders of pictures that must not be decoded; what is said of each."""
    fill(data / "declared", png(50_000, 50_000))
    fill(data / "flat", png(2**31 - 1, 1))
    fill(data / "large", png(9_000, 9_000))
    ghost = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n"
    fill(data / "script", ghost)
    return {
        "imagefolder:declared": "pixels",
        "imagefolder:flat": "pixels",
        "imagefolder:large": "it declares 9000×9000 pixels",
        "imagefolder:script": "no readable picture",
    }


def write_archives(data: Path) -> dict[str, str]:
    """Archives that must not be unpacked; what is said of each."""
    labels = npy((40,), "<i8", np.arange(40).astype("<i8").tobytes())
    pictures = npy((40, 8, 8), "|u1", bytes(40 * 64))
    count, most = 2**27, npy((40,), "<i8", np.full(40, 2**62).tobytes())
    for name, (x, y) in {
        "labels": ((npy((count, 1, 1), "|u1"), 128), (npy((count,), "|u1"), 128)),
        "packed": ((npy((40, 2**13, 2**12), "|u1"), 1280), (labels, 0)),
        "declared": ((npy((40, 8, 8), "|u1"), 0), (npy((40,), "<i8"), 0)),
        "classes": ((pictures, 0), (most, 0)),
        "header": ((b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**29), 512), (labels, 0)),
    }.items():
        write_zip(data / f"{name}.npz", {"x_train.npy": x, "y_train.npy": y})
    canary = Bomb(str(data / "canary"))
    objects = np.array([canary] * 40)
    np.savez(data / "pickle.npz", x_train=np.zeros((40, 8, 8), np.uint8), y_train=objects)
    (data / "pickled.npz").write_bytes(pickle.dumps(canary))
    return {
        "npz:labels": "134,217,728 labels",
        "npz:packed": "1,342,177,",
        "npz:declared": "it declares (40,) int64",
        "npz:classes": "fewer pictures",
        "npz:header": "no readable header",
        "npz:pickle": "not integers",
        "npz:pickled": "cannot be read",
    }


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "datasets").mkdir()
    found = Settings(
        data_dir=tmp_path / "data", datasets_dir=tmp_path / "datasets", worker=False, port=0
    )
    found.prepare()
    return found


def test_bombs_are_refused_and_memory_stays_flat(client, stored, settings):
    data = settings.datasets_dir
    said = write_pictures(data) | write_archives(data)
    small = io.BytesIO()
    Image.new("RGB", (32, 32)).save(small, "png")
    fill(data / "fine", small.getvalue())
    body = {"backbone": "mobilenet_small", "dataset": "imagefolder:fine"}
    assert client.post("/v1/estimates", json=body).status_code == 200
    peak = Peak()
    for name, words in said.items():
        for path, asked in (("/v1/estimates", body), ("/v1/jobs", BODY)):
            problem = refused(client.post(path, json=asked | {"dataset": name}), 422)
            assert words in problem["detail"], problem
    assert peak.above() < 50 * MEBIBYTE
    assert stored.jobs.page(1) == []
    assert not (data / "canary").exists()


def test_a_bomb_that_no_sample_of_headers_shows_ends_the_job_with_a_plain_reason(tmp_path):
    small = io.BytesIO()
    Image.new("RGB", (32, 32)).save(small, "png")
    fill(tmp_path / "mixed", small.getvalue())
    (tmp_path / "mixed" / "test" / "a").mkdir(parents=True)
    (tmp_path / "mixed" / "test" / "a" / "late.png").write_bytes(png(50_000, 50_000))
    with pytest.raises(DatasetUnavailable, match=r"late.png: it is no readable picture .*pixels"):
        load("imagefolder:mixed", tmp_path)


def test_the_bombs_are_real(tmp_path):
    """The tests above can fail: unpacked they are large, and the pickle goes off."""
    assert len(zlib.decompress(deflated(b"x", 64), -15)) == 64 * MEBIBYTE + 1
    write_archives(tmp_path)
    assert (tmp_path / "packed.npz").stat().st_size < 2 * MEBIBYTE
    pickle.loads((tmp_path / "pickled.npz").read_bytes())
    assert (tmp_path / "canary").exists()
