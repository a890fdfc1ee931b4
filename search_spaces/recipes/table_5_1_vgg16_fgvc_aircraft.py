"""VGG-16 on FGVC-Aircraft: human design, DynOPool-S and DynOPool-B."""

from search_spaces.recipes._recipe import Published
from search_spaces.recipes._thesis import AIRCRAFT, dynopool, table_5_1

RECIPE = table_5_1(
    "VGG-16",
    "vgg16",
    ("FGVC-Aircraft", "fgvc_aircraft"),
    AIRCRAFT,
    (
        Published(accuracy=85.3, gmacs=15.40, sizes=((112, 112), (56, 56), (28, 28), (14, 14))),
        dynopool("DynOPool-S", 87.0, 13.90, ((114, 142), (52, 53), (30, 19), (17, 7))),
        dynopool("DynOPool-B", 87.4, 32.39, ((127, 256), (76, 102), (46, 37), (20, 11))),
    ),
)
