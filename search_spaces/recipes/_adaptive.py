"""What the tables of the adaptive-stride modules share (submission to ICLR 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from search_spaces.recipes._recipe import Published, Row, Training

SUBMISSION = "Convolution and pooling operation module with adaptive stride, ICLR 2023 submission"

PLAIN = Training(epochs=100, batch_size=128, lr=0.01, weight_decay=5e-4, settle=0.0, augment=False)
TRICKS = replace(PLAIN, augment=True, mixup=0.2, label_smoothing=0.1)

OURS: Mapping[str, str] = {
    "epochs, batch_size, lr, weight_decay": "nothing on training is stated",
    "augment": "none, as the networks are said to be without tricks",
}


def pair(
    network: str, backbone: str, layer: str, accuracies: tuple[float, float], training: Training
) -> tuple[Row, Row]:
    """A network without and with its module.

    Args:
        network: its name in the table.
        backbone: its name here.
        layer: the module and where it stands, as `resnas` takes layers.
        accuracies: of the two, in percent.
        training: of both.
    """
    without, with_it = accuracies
    plain = Row(
        network, "strided", Published(accuracy=without), backbone=backbone, training=training
    )
    module = layer.partition("@")[0].upper()
    changed = replace(
        plain,
        label=f"{network} with {module}",
        published=Published(accuracy=with_it),
        layers=(layer,),
    )
    return plain, changed
