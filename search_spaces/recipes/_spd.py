"""What the classification rows of SPD-Conv share (R. Sunkara, T. Luo, ECML PKDD 2022)."""

from __future__ import annotations

from search_spaces.recipes._recipe import Published, Recipe, Row, Training


def spd(
    network: tuple[str, str],
    data: tuple[str, str],
    training: Training,
    accuracies: tuple[float, float],
    remarks: tuple[str, ...] = (),
) -> Recipe:
    """A network with strided convolutions, and with space to depth in their place.

    Args:
        network: its name in the source and here.
        data: the data set's, likewise.
        training: of both, from the README or the defaults of the authors' code.
        accuracies: of the two, in percent.
        remarks: on these figures alone.
    """
    plain, folded = accuracies
    return Recipe(
        title=f"{network[0]} on {data[0]}: strided convolutions or space to depth",
        source="R. Sunkara and T. Luo, No more strided convolutions or pooling, 2022, table 6",
        backbone=network[1],
        dataset=data[1],
        training=training,
        rows=(
            Row(network[0], "strided", Published(accuracy=plain)),
            Row(f"{network[0]}-SPD", "space_to_depth", Published(accuracy=folded)),
        ),
        ours={
            "schedule": "the code lowers the rate at epochs 60, 120 and 160; here it is a cosine",
            "momentum": "the code's, here with Nesterov",
            "augment": "crops and mirroring; the code also mirrors upside down (Tiny ImageNet) or "
            "turns by up to 15° (CIFAR-10)",
            "stem": "the authors' halves the picture by space to depth; here it keeps the map",
        },
        remarks=(
            *remarks,
            "space to depth costs more: what follows takes four times the channels",
        ),
    )
