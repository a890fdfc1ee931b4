"""MobileNetV2 on FGVC-Aircraft: human design, DynOPool-S and DynOPool-B."""

from search_spaces.recipes._recipe import Published
from search_spaces.recipes._thesis import AIRCRAFT, dynopool, mobile, table_5_1

HUMAN = ((112, 112), (56, 56), (28, 28), (14, 14), (7, 7))

RECIPE = table_5_1(
    "MobileNetV2",
    "mobilenet_v2",
    ("FGVC-Aircraft", "fgvc_aircraft"),
    mobile(AIRCRAFT),
    (
        Published(accuracy=77.6, gmacs=0.33, sizes=HUMAN),
        dynopool("DynOPool-S", 78.7, 0.34, ((98, 119), (39, 42), (36, 18), (21, 9), (12, 4))),
        dynopool("DynOPool-B", 82.6, 2.35, ((181, 150), (132, 174), (87, 80), (51, 36), (22, 13))),
    ),
)
