"""How a network is trained of which nothing is known but its name."""

from __future__ import annotations

import re

from search_spaces._recipe import Recipe

LR, LR_UNNORMALISED = 0.05, 0.01
"""Half of He et al.'s 0.1, at which deep or thin networks may diverge in the first epochs without
the warm-up that their own recipes have; and what AlexNet's and VGG's authors used, whose signals
no norm keeps in bounds."""

WEIGHT_DECAY = 5e-4
"""As the families of this package have it: all of them start from random weights on small sets."""

_UNNORMALISED = re.compile(r"alexnet|squeezenet.*|vgg\d+")


def general_recipe(name: str, about: str, *, dense: bool = False) -> Recipe:
    """A recipe for the network that its library calls `name`.

    The published recipes of these networks are for ImageNet on many devices (batches of 1024,
    RMSprop, 300 epochs or more); for a search they do not fit. So there is one for all.
    """
    lr = LR_UNNORMALISED if _UNNORMALISED.fullmatch(name) else LR
    return Recipe(lr=lr, weight_decay=WEIGHT_DECAY, about=about, dense=dense)


def first_words(text: str | None, otherwise: str) -> str:
    """The first paragraph of a docstring in one line, without its markup and links."""
    paragraph = re.split(r"\n\s*\n", (text or "").strip(), maxsplit=1)[0]
    plain = " ".join(re.sub(r"<[^>]*>`?_*|[`*]", "", paragraph).split())
    return plain.replace(" .", ".") or otherwise
