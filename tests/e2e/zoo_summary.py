"""The zoo's results as a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

Result = dict[str, Any]


def summary(results: Sequence[Result], seed: int, largest: int) -> str:
    """Counts, then a table by family, in markdown."""
    families: dict[str, list[Result]] = {}
    for result in results:
        families.setdefault(result["family"], []).append(result)
    free = {f for f, found in families.items() if _takes_any_size(found[0])}
    lines = [
        "# The zoo",
        "",
        "Written by `make zoo`. Of every module of timm "
        f"{version('timm')} and torchvision {version('torchvision')} (classification and "
        f"segmentation) the smallest model and two more of at most {largest // 10**6} M "
        f"parameters, drawn with seed {seed}; random weights, 10 classes, torch "
        f"{version('torch')}, one CPU thread. Input 96×96, where the network takes that, "
        "else 128×128, else its own.",
        "",
        "*Passed* is the whole way: the untouched space equals the network bit for bit; converted, "
        "sizes as in the backbone; every node's shape and cost row as predicted near random "
        "fractional strides; a training step there in which strides, and all weights that learn "
        "in the backbone, get finite gradients; frozen, equal to 1e-5 of the output's scale; "
        "exported to ONNX (the smallest also to pt2), equal to 1e-4.",
        "",
        *_counts(
            "timm's modules whose smallest model takes 96×96 and 128×128 unchanged",
            free,
            {f: r for f, r in families.items() if f.startswith("timm")},
        ),
        *_counts(
            "timm's other modules (their maps have one size)",
            None,
            {f: r for f, r in families.items() if f.startswith("timm") and f not in free},
        ),
        *_counts(
            "torchvision's families",
            None,
            {f: r for f, r in families.items() if f.startswith("torchvision")},
        ),
        "",
        "| family | models, with their input | outcome | groups / sites | left alone | cost rows | "
        "frozen | ONNX | why not |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(family, found) for family, found in families.items()),
        "",
        "Cost rows: conv, linear and matmul rows of the backbone by our `macs` against torch's "
        '`FlopCounterMode` / 2 and fvcore\'s `by_operator()`; "=" where all are equal, "≠" with '
        'what differs, "–" where fvcore cannot trace the network. Interpolation is a row of ours '
        "alone. fvcore leaves scaled dot-product attention out, and convolutions "
        'with padding "same"; what it has beyond that is "else".',
        "",
    ]
    return "\n".join(lines)


def _takes_any_size(result: Result) -> bool:
    return result.get("takes", [])[:2] == [[3, 96, 96], [3, 128, 128]]


def _counts(title: str, wanted: set[str] | None, families: dict[str, list[Result]]) -> list[str]:
    chosen = {f: found for f, found in families.items() if wanted is None or f in wanted}
    models = [result for found in chosen.values() for result in found]
    outcomes: dict[str, int] = {}
    for result in models:
        outcomes[result["outcome"]] = outcomes.get(result["outcome"], 0) + 1
    passed = outcomes.get("passed", 0)
    partly = sum(result["outcome"] == "passed" and bool(_left(result)) for result in models)
    share = f" ({100 * passed / len(models):.1f} %)" if models else ""
    others = ", ".join(f"{n} {o}" for o, n in sorted(outcomes.items()) if o != "passed")
    return [
        f"- {title}: {len(chosen)}; of their {len(models)} models **{passed} passed**{share}"
        f"{f', {partly} of them with some sites left alone' if partly else ''}"
        f"{'; ' + others if others else ''}."
    ]


def _left(result: Result) -> dict[str, str]:
    """Sites that were left alone, but for pools over the whole map."""
    return {k: v for k, v in result.get("fixed", {}).items() if "whole map" not in v}


def _row(family: str, found: Sequence[Result]) -> str:
    return (
        "| "
        + " | ".join(
            (
                family,
                "<br>".join(f"{r['name'].partition('/')[2]} {_size(r)}" for r in found),
                "<br>".join(r["outcome"] for r in found),
                "<br>".join(
                    f"{r['groups']} / {r['sites']}" if "groups" in r else "–" for r in found
                ),
                "<br>".join(str(len(_left(r))) if "groups" in r else "–" for r in found),
                "<br>".join(map(_rows, found)),
                "<br>".join(_error(r.get("freeze_error")) for r in found),
                "<br>".join(_error(r.get("export_error", {}).get("onnx")) for r in found),
                "<br>".join(dict.fromkeys(_why(r) for r in found)),
            )
        )
        + " |"
    )


def _size(result: Result) -> str:
    return str(result["size"][-1]) if "size" in result else ""


def _rows(result: Result) -> str:
    if "other_rows" not in result:
        return "–"
    more = [f"{kind} {count:+d}" for kind, count in sorted(result["other_rows"].items())]
    fvcore = result["fvcore_macs"]
    if fvcore is None:
        more.append("fvcore –")
    elif fvcore != result["torch_macs"]:
        misses = result.get("fvcore_misses", {})
        rest = fvcore + sum(misses.values()) - result["torch_macs"]
        parts = [f"{what} -{count}" for what, count in misses.items()]
        more.append("fvcore: " + ", ".join([*parts, *([f"else {rest:+d}"] if rest else [])]))
    return "=" if not more else "≠ " + ", ".join(more)


def _error(error: float | None) -> str:
    return "–" if error is None else "0" if error == 0 else f"{error:.0e}"


def _why(result: Result) -> str:
    """The reason in short: without paths of installed packages, no pipes."""
    reason = result.get("reason") or next(iter(_left(result).values()), "")
    reason = re.sub(r'File "[^"]*/site-packages/([^"]*)"', r"\1", reason)
    reason = re.sub(r"[^ \"]*/site-packages/", "", reason)
    reason = reason.split(". Choose a backbone")[0].splitlines()[0] if reason else ""
    return reason.replace("|", "/").replace("<", "&lt;")[:220]
