"""A sample of the zoo: twelve small networks of twelve kinds on their whole way."""

from __future__ import annotations

import pytest

from tests.e2e.specimen import examine

pytest.importorskip("timm")
pytest.importorskip("torchvision")

# (groups, sites) of a conversion; None where every site is refused
SAMPLE = {
    "timm/test_resnet": (5, 8),
    "timm/test_efficientnet": (5, 5),
    "timm/test_byobnet": (5, 9),
    "timm/test_convnext": (4, 4),
    "timm/test_nfnet": (5, 8),  # standardised weights
    "timm/test_mambaout": (5, 5),
    "timm/ghostnet_050": (5, 9),  # slices of channels
    "timm/mixnet_s": (5, 13),  # one map convolved by kernels of several sizes
    "timm/lowformer_b0": (8, 8),  # attention between strided and transposed convolutions
    "torchvision/shufflenet_v2_x0_5": (4, 7),
    "torchvision/squeezenet1_1": (3, 3),
    "timm/test_vit_relpos": None,
}
EXPORTED = ("timm/test_resnet", "timm/test_byobnet", "torchvision/shufflenet_v2_x0_5")

WITHOUT_FVCORE = ("timm/lowformer_b0",)
"""fvcore leaves scaled dot-product attention out."""


@pytest.mark.parametrize("name", SAMPLE)
def test_a_network_goes_its_whole_way_or_is_refused_with_a_reason(name):
    found = examine(
        {
            "name": name,
            "family": name,
            "seed": 0,
            "sizes": [[3, 96, 96], [3, 160, 160]],
            "formats": ["onnx", "pt2"] if name in EXPORTED else [],
        }
    )
    if SAMPLE[name] is None:
        assert found["outcome"] == "refused"
        assert "none of the 1 sites can be resized; patch_embed.proj: " in found["reason"]
        return
    assert found["outcome"] == "passed", found
    assert (found["groups"], found["sites"]) == SAMPLE[name]
    assert found["fixed"] == {}
    assert found["identity"]
    assert found["freeze_error"] <= 1e-5
    assert found["macs"] == found["torch_macs"]
    if name not in WITHOUT_FVCORE:
        assert found["macs"] == found["fvcore_macs"]
    if name in EXPORTED:
        assert max(e for e in found["export_error"].values() if e is not None) <= 1e-4
