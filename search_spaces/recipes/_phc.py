"""What the PHC recipes share (E. Grassucci et al., parameterized hypercomplex convolutions)."""

from __future__ import annotations

from search_spaces.recipes._recipe import Recipe, Row, Training


def phc(
    network: tuple[str, str],
    data: tuple[str, str],
    stages: str,
    training: Training,
    best: str,
) -> Recipe:
    """A network with ordinary convolutions, and with PHC of n = 2 and 4.

    Args:
        network: its name in the source and here.
        data: the data set's, likewise.
        stages: paths of what has PHC.
        training: from the authors' configurations.
        best: the best accuracy that is listed for the paper on these data, in percent.
    """
    return Recipe(
        title=f"{network[0]} on {data[0]}: convolutions from 1/n of the weights",
        source="E. Grassucci, A. Zhang, D. Comminiello, PHNNs, 2021, image classification",
        backbone=network[1],
        dataset=data[1],
        training=training,
        rows=(
            Row("real", "strided"),
            *(Row(f"PHC, n={n}", "strided", layers=(f"phc:n={n}@{stages}",)) for n in (2, 4)),
        ),
        ours={
            "layers": "the authors pad the picture to four channels so that n divides them; here "
            "the first convolution stays as it is",
            "validation": "the authors take a fifth of the test set; here a tenth of train",
        },
        remarks=(
            f"the table was not at hand: pages that list results have {best} % as the paper's best "
            "on these data, without the network or n",
        ),
    )
