"""Reading a front and choosing: with a server, by its typed client.

    python -m tests.e2e.examples.reading_a_front

It starts a server of its own; with `resnas serve` running, `Client()` finds that one by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

from resnas.picture import front_svg
from resnas.plots import marks_of
from resnas.spec import JobSpec, SearchSpec, TrainingSpec
from service.answers import Front, FrontPoint, Job
from service.client import Client
from service.local_server import local_server

BACKBONE, DATASET = "vgg_small", "digits"


def main(folder: Path, *, trials: int = 8, epochs: int = 4) -> Path | None:
    """The whole example; answers the exported file, which lies in `folder` with all else."""
    with local_server(folder / "data") as server, server.client() as client:
        job = search(client, trials, epochs)
        return choose(client, job, folder)


def search(client: Client, trials: int, epochs: int) -> Job:
    """Hand the job in, and look on until it has ended."""
    known = client.estimate(BACKBONE, DATASET)
    print(
        f"the human design costs {known.human_gmacs:.4g} GMACs; "
        f"{known.min_gmacs:.4g} to {known.max_gmacs:.4g} can be reached"
    )
    spec = JobSpec(
        backbone=BACKBONE,
        dataset=DATASET,
        budget_gmacs=float(f"{0.4 * known.human_gmacs:.2g}"),
        trials=trials,
        training=TrainingSpec(epochs=epochs),
        search=SearchSpec(
            lam_min=0.05 / known.human_gmacs, lam_max=30 / known.human_gmacs, parallel=2
        ),
    )
    done = -1
    for job in client.watch(client.submit(spec).id):
        if job.trials_done > done:
            done = job.trials_done
            print(f"{job.state}: {done} of {job.trials_total} trials")
    print(f"{job.state}: {job.trials_done} of {job.trials_total} trials")
    return job


def choose(client: Client, job: Job, folder: Path) -> Path | None:
    """Read the front, compare two of its points, and take one."""
    everything = client.front(job.id, include_dominated=True)
    front = client.front(job.id)
    read(everything, front, job.spec.budget_gmacs)
    results = [client.architecture(each.architecture_id).trial for each in everything.points]
    human = client.estimate(BACKBONE, DATASET).human_gmacs
    marks = marks_of(results)
    picture = front_svg(marks, job.spec.budget_gmacs, human, "vgg_small on digits")
    (folder / "front.svg").write_text(picture)

    best, knee = front.best_under_budget, front.knee
    if best is None:
        print("nothing within the budget: more trials, or a larger budget")
        return None
    if knee is not None and knee.architecture_id != best.architecture_id:
        compare(client, knee, best)
    exported = client.export(best.architecture_id, "onnx", folder, overwrite=True)
    print(f"chosen: {best.val_accuracy:.2%} at {best.gmacs:.4g} GMACs, in {exported.name}")
    return exported


def read(everything: Front, front: Front, budget: float) -> None:
    """Every point, and what is to be said of it."""
    on_front = {point.architecture_id for point in front.points}
    for point in sorted(everything.points, key=lambda point: point.gmacs):
        words = [] if point.architecture_id in on_front else ["dominated"]
        words += ["knee"] if _same(point, front.knee) else []
        words += ["best under the budget"] if _same(point, front.best_under_budget) else []
        words += ["above the budget"] if point.gmacs > budget else []
        print(f"  {point.gmacs:.4g} GMACs {point.val_accuracy:7.2%}  {', '.join(words)}".rstrip())


def _same(point: FrontPoint, other: FrontPoint | None) -> bool:
    return other is not None and point.architecture_id == other.architecture_id


def compare(client: Client, one: FrontPoint, other: FrontPoint) -> None:
    """Two architectures beside each other: what the dearer one gives for its cost, and where."""
    more = other.gmacs / one.gmacs - 1
    gained = other.val_accuracy - one.val_accuracy
    print(f"knee beside best: {more:+.0%} GMACs for {gained:+.2%} of accuracy")
    sizes = [client.architecture(each.architecture_id).architecture.sizes for each in (one, other)]
    for site, size in sizes[0].items():
        print(f"  {site}: {_written(size)} and {_written(sizes[1][site])}")


def _written(size: tuple[int, int]) -> str:
    return "×".join(str(side) for side in size)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "reading_a_front"))
