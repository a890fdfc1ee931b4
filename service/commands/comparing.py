"""The command that puts two architectures beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.text import Text

from resnas.profiles import MapFacts, Profile
from resnas.results import Size, TrialResult
from service import drawing
from service.answers import StoredArchitecture
from service.client_errors import Refused, ServerFailed
from service.commands.connecting import connect
from service.commands.finding import find_architecture
from service.commands.options import ArchitectureId, Json, Plain
from service.console import (
    glyphs,
    gmacs,
    hint,
    pixels,
    say,
    share,
    shortened,
    show_json,
    show_rows,
    show_table,
    stdout,
)
from service.drawing import DIM, Glyphs
from service.errors import NotFound

if TYPE_CHECKING:
    from service.client import Client

_BAR = 26  # characters at most
_BESIDE = 30  # columns that stand beside the two bars and the names
_NAME = 22  # characters of a map's name


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        profile: null where the server cannot tell it.
    """

    stored: StoredArchitecture
    profile: Profile | None

    @property
    def trial(self) -> TrialResult:
        """The training that found it."""
        return self.stored.trial

    @property
    def network(self) -> tuple[object, ...]:
        """What its human sizes follow from."""
        architecture = self.stored.architecture
        return architecture.backbone, architecture.input_size

    def human_size(self, site: str) -> Size | None:
        """What the backbone has at a site."""
        maps = self.profile.maps if self.profile else ()
        behind = {site, f"{site}.resizer"}
        return next((each.human_size for each in maps if each.name in behind), None)


@dataclass(frozen=True)
class Step:
    """Maps behind one another that are equally large, in both networks.

    Attributes:
        name: of the first one.
        sizes: in the one network and in the other one.
        humans: of each, which differ where the backbones or their inputs do.
        count: of them.
    """

    name: str
    sizes: tuple[Size, Size]
    humans: tuple[Size | None, Size | None]
    count: int = 1

    def goes_on(self, next_one: Step) -> bool:
        """Whether the next map is as large."""
        return (self.sizes, self.humans) == (next_one.sizes, next_one.humans)

    @property
    def longest(self) -> int:
        """The longest side of all."""
        return max(side for size in (*self.sizes, *self.humans) if size for side in size)


def compare(
    a: ArchitectureId, b: ArchitectureId, plain: Plain = False, as_json: Json = False
) -> None:
    """Put two architectures beside each other: accuracy, cost, and every size.

    For example: resnas compare 01a1fec1024b 01a1fec0f1d7
    """
    with connect() as client:
        sides = (_side(client, a), _side(client, b))
    if as_json:
        show_json({"a": _document(sides[0]), "b": _document(sides[1])})
        return
    names = _names(sides, plain)
    show_rows(("", *names, "difference"), _facts(*sides), plain)
    if sizes := list(site_rows(*sides)):
        if not plain:
            show_table(("site", "human", *names, "difference"), sizes)
        else:
            show_rows(("site", "human", *names, "difference"), sizes, plain)
    if not plain:
        _draw(sides, names)
        hint(f"Fetch one with 'resnas export {names[0]}'.")


def _side(client: Client, text: str) -> Side:
    stored = client.architecture(find_architecture(client, text))
    try:
        return Side(stored, client.profile(stored.id))
    except (NotFound, Refused, ServerFailed) as error:
        say(f"The human sizes are not known: {error}")
        return Side(stored, None)


def _document(side: Side) -> dict[str, object]:
    return {"architecture": side.stored, "profile": side.profile}


def _names(sides: tuple[Side, Side], plain: bool) -> tuple[str, str]:
    ids = shortened((side.stored.id for side in sides), plain)
    return ids[sides[0].stored.id], ids[sides[1].stored.id]


def _facts(a: Side, b: Side) -> Iterator[tuple[str, str, str, str]]:
    """What they are and achieve: a name, the two values, and the difference."""
    yield "backbone", *_told(a.stored.architecture.backbone, b.stored.architecture.backbone)
    yield "GMACs", gmacs(a.trial.gmacs), gmacs(b.trial.gmacs), _ratio(a.trial.gmacs, b.trial.gmacs)
    if a.profile or b.profile:
        human = [side.profile.human_gmacs if side.profile else None for side in (a, b)]
        yield "GMACs, human", gmacs(human[0]), gmacs(human[1]), ""
    yield (
        "accuracy",
        share(a.trial.val_accuracy, a.trial.spread),
        share(b.trial.val_accuracy, b.trial.spread),
        _gap(a.trial, b.trial),
    )
    tests = a.trial.test_accuracy, b.trial.test_accuracy
    yield "test accuracy", share(tests[0]), share(tests[1]), _points(*tests)
    params = a.trial.params, b.trial.params
    yield "parameters", _count(params[0]), _count(params[1]), _ratio(*params)
    yield "resizer", *_told(a.trial.resizer, b.trial.resizer)
    yield "aim", *_told(a.trial.aim, b.trial.aim)
    yield "seed", *_told(str(a.trial.seed), str(b.trial.seed))
    yield "trial", str(a.trial.number), str(b.trial.number), ""
    yield "job", *_told(*_jobs(a, b))


def _jobs(a: Side, b: Side) -> tuple[str, str]:
    ids = shortened((a.stored.job_id, b.stored.job_id))
    return ids[a.stored.job_id], ids[b.stored.job_id]


def _told(a: str | None, b: str | None) -> tuple[str, str, str]:
    return a or "", b or "", "" if a == b else "differs"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _ratio(a: float | None, b: float | None) -> str:
    """How much more the second one is."""
    return _signed(f"{100 * (b - a) / a:+.1f} %") if a and b and a != b else ""


def _points(a: float | None, b: float | None) -> str:
    return "" if a is None or b is None else _signed(f"{100 * (b - a):+.2f} points")


def _signed(text: str) -> str:
    return text.replace("-", "−")


def _gap(a: TrialResult, b: TrialResult) -> str:
    """The difference of the accuracies, and whether it is more than chance may make it."""
    gap = _points(a.val_accuracy, b.val_accuracy)
    if not gap or a.spread is None or b.spread is None:
        return gap
    error = (a.spread**2 + b.spread**2) ** 0.5
    small = abs((b.val_accuracy or 0) - (a.val_accuracy or 0)) < 2 * error
    return f"{gap}, within chance" if small else gap


def site_rows(a: Side, b: Side) -> Iterator[tuple[str, str, str, str, str]]:
    """The sizes by site, of the first one and what only the second one has."""
    left, right = a.stored.architecture.sizes, b.stored.architecture.sizes
    for site in dict.fromkeys((*left, *right)):
        one, other = left.get(site), right.get(site)
        yield site, _human(a, b, site), pixels(one), pixels(other), _difference(one, other)


def _human(a: Side, b: Side, site: str) -> str:
    """The human size at a site; both, where the two networks have other ones."""
    having = [side for side in (a, b) if site in side.stored.architecture.sizes]
    sizes = [side.human_size(site) for side in having]
    known = [size for size in sizes if size]
    if not known:
        return ""
    if len(set(sizes)) == 1 or len({side.network for side in having}) == 1:
        return pixels(known[0])
    return " / ".join(pixels(size) or "?" for size in sizes)


def _difference(a: Size | None, b: Size | None) -> str:
    if a is None or b is None or a == b:
        return ""
    return _signed(f"{b[0] - a[0]:+}×{b[1] - a[1]:+}")


def _draw(sides: tuple[Side, Side], names: tuple[str, str]) -> None:
    """Both shape ladders beside each other, where they are of one backbone."""
    a, b = sides
    if a.profile is None or b.profile is None:
        return
    found = _folded(steps(a.profile, b.profile))
    if not found:
        say("Their feature maps are not of one network, so they are not drawn.")
        return
    seen = glyphs()
    named = max(len(_cut(step.name)) for step in found)
    width = max(6, min(_BAR, (stdout().width - _BESIDE - named) // 2))
    longest = max(step.longest for step in found)
    rows = [
        (
            _cut(step.name),
            Text(f"×{step.count}" if step.count > 1 else "", DIM),
            *_bars(step, longest, width, seen),
        )
        for step in found
    ]
    show_table(("feature maps", "", "", names[0], "", names[1]), rows)
    legend = f"{seen.full * 3} side of the map   {seen.ghost * 3} where the human one is longer"
    stdout().print(Text(legend, DIM))


def _bars(step: Step, longest: int, width: int, seen: Glyphs) -> Iterator[str | Text]:
    """Each one's size, and its bar beside its own human one."""
    for size, human in zip(step.sizes, step.humans, strict=True):
        yield pixels(size)
        yield drawing.bar(size, human, longest, width, seen)


def steps(a: Profile, b: Profile) -> Iterator[Step]:
    """The maps that both have, in the order of the network."""
    others = {each.name: each for each in _mapped(b)}
    for one in _mapped(a):
        other = others.get(one.name)
        if other is not None and one.size is not None and other.size is not None:
            yield Step(one.name, (one.size, other.size), (one.human_size, other.human_size))


def _mapped(profile: Profile) -> list[MapFacts]:
    return [each for each in profile.maps if each.size is not None]


def _folded(ladder: Iterator[Step]) -> list[Step]:
    """Steps in a row that are equal as one."""
    folded: list[Step] = []
    for step in ladder:
        if folded and folded[-1].goes_on(step):
            last = folded.pop()
            step = replace(last, count=last.count + 1)
        folded.append(step)
    return folded


def _cut(name: str) -> str:
    """A long name by its end, which tells more."""
    return name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"
