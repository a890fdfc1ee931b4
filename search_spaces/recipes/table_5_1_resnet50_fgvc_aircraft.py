"""ResNet-50 on FGVC-Aircraft: human design, DynOPool-S and DynOPool-B."""

from search_spaces.recipes._recipe import Published
from search_spaces.recipes._thesis import AIRCRAFT, RAISED, dynopool, table_5_1

STARTS = {"stem.conv": (112, 112)}

RECIPE = table_5_1(
    "ResNet-50",
    "resnet50",
    ("FGVC-Aircraft", "fgvc_aircraft"),
    AIRCRAFT,
    (
        Published(accuracy=81.6, gmacs=4.12, sizes=((56, 56), (28, 28), (14, 14), (7, 7))),
        dynopool("DynOPool-S", 82.3, 3.57, ((58, 63), (18, 17), (9, 4), (4, 2))),
        dynopool("DynOPool-B", 87.2, 38.53, ((225, 210), (68, 66), (16, 17), (4, 4)), STARTS),
    ),
    ours={"sizes": RAISED},
)
