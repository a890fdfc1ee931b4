"""The demonstration: from nothing to a Pareto front and an exported network, on real parts.

It starts a server of its own, hands in a job, follows it, and checks the exported network in ONNX
Runtime on the pictures that the front was chosen with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resnas.errors import SearchFailed
from resnas.picture import front_svg
from resnas.plots import marks_of
from resnas.spec import JobSpec, SearchSpec, TrainingSpec
from resnas.storage import write_atomic
from service.answers import Front, FrontPoint, Job
from service.client import Client
from service.console import achieved, gmacs, say, share, show_line
from service.listings import show_front
from service.local_server import local_server
from service.progress import follow

BACKBONE, DATASET = "vgg_small", "digits"
BUDGET = 0.5
"""Of the backbone's own GMACs."""
PARALLEL = 2
"""Trials at the same time: as many on every machine, for the same trials on every machine."""
LAM_RANGE = (0.05, 30.0)
"""Of λ times the backbone's GMACs: digits are easy, so most of the front lies at low cost."""


@dataclass(frozen=True)
class Demonstration:
    """What it came to.

    Attributes:
        folder: where everything lies.
        exported: the file of the best network under the budget.
        onnx_accuracy: of that file on the validation split, in ONNX Runtime.
    """

    folder: Path
    job: Job
    front: Front
    best: FrontPoint
    exported: Path
    onnx_accuracy: float

    def document(self) -> dict[str, object]:
        """All of it, for programs."""
        return {
            "folder": str(self.folder),
            "job": self.job,
            "front": self.front,
            "best_under_budget": self.best,
            "exported": str(self.exported),
            "onnx_accuracy": self.onnx_accuracy,
        }


def run_demo(trials: int, epochs: int, folder: Path) -> Demonstration:
    """Search, export and check; everything lies in `folder` afterwards.

    Args:
        trials: how many trainings.
        epochs: of each.
        folder: made where missing.

    Raises:
        SearchFailed: the job failed, or found nothing under its budget.
        StartRefused: the server did not start.
    """
    say("Starting a server of its own.")
    with local_server(folder / "data") as server, server.client() as client:
        human_gmacs = client.estimate(BACKBONE, DATASET).human_gmacs
        job = _search(client, _spec(human_gmacs, trials, epochs))
        front = client.front(job.id)
        best = _best(job, front)
        ids = [trial.architecture_id for trial in client.trials(job.id)]
        results = [client.architecture(each).trial for each in ids if each]
        _write_front(folder, job, front)
        picture = front_svg(marks_of(results), job.spec.budget_gmacs, human_gmacs, _title(job))
        write_atomic(folder / "front.svg", picture.encode())
        exported = client.export(best.architecture_id, "onnx", folder, overwrite=True)
        confirmed = _onnx_accuracy(exported, server.data_dir / "datasets")
    return Demonstration(folder, job, front, best, exported, confirmed)


def show_demo(shown: Demonstration) -> None:
    """The front, the exported network, and what can be done next."""
    front = shown.front
    show_front(front.points, shown.best, shown.job.spec.budget_gmacs, knee=front.knee)
    confirmed = share(shown.onnx_accuracy)
    show_line(f"\n{shown.exported}: {achieved(shown.best)}; in ONNX Runtime {confirmed}")
    _say_what_next(shown.folder, shown.job, shown.best)


def _spec(human_gmacs: float, trials: int, epochs: int) -> JobSpec:
    return JobSpec(
        backbone=BACKBONE,
        dataset=DATASET,
        budget_gmacs=float(f"{BUDGET * human_gmacs:.3g}"),
        trials=trials,
        training=TrainingSpec(epochs=epochs),
        search=SearchSpec(
            lam_min=LAM_RANGE[0] / human_gmacs,
            lam_max=LAM_RANGE[1] / human_gmacs,
            parallel=PARALLEL,
        ),
    )


def _search(client: Client, spec: JobSpec) -> Job:
    job = client.submit(spec)
    say(
        f"Job {job.id}: {spec.backbone} on {spec.dataset} under {gmacs(spec.budget_gmacs)} GMACs, "
        f"{spec.trials} trials of {spec.training.epochs} epochs."
    )
    ended = follow(client, job)
    if failure := ended.failure():
        raise SearchFailed(failure.place, failure.found, failure.next_step)
    return ended


def _best(job: Job, front: Front) -> FrontPoint:
    if front.best_under_budget is None:
        raise SearchFailed(
            f"job {job.id}",
            f"nothing it found costs less than {gmacs(job.spec.budget_gmacs)} GMACs",
            "Ask for more trials",
        )
    return front.best_under_budget


def _write_front(folder: Path, job: Job, front: Front) -> None:
    content = {"job": job.model_dump(mode="json"), "front": front.model_dump(mode="json")}
    write_atomic(folder / "front.json", json.dumps(content, indent=2).encode())


def _title(job: Job) -> str:
    return f"{job.spec.backbone} on {job.spec.dataset}"


def _onnx_accuracy(path: Path, datasets_dir: Path) -> float:
    """Share of right answers of the exported network on the validation split."""
    import onnxruntime
    import torch

    from resnas.datasets._base import load
    from resnas.feeding import Feeder

    dataset = load(DATASET, datasets_dir)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (name,) = (value.name for value in session.get_inputs())
    right = 0
    feeder = Feeder(dataset, TrainingSpec(), torch.device("cpu"))
    for images, labels in feeder.in_order(dataset.val):
        (logits,) = session.run(None, {name: np.ascontiguousarray(images.numpy())})
        right += int((logits.argmax(axis=1) == labels.numpy()).sum())
    return right / len(dataset.val)


def _say_what_next(folder: Path, job: Job, best: FrontPoint) -> None:
    here = f"RESNAS_DATA_DIR={folder / 'data'}"
    program = ".venv/bin/resnas" if Path(".venv/bin/resnas").exists() else "resnas"
    show_line(
        f"""
In {folder}/: front.json and front.svg (the front), the exported network, data/ (all else).
Next:
  {here} {program} serve                    # in another terminal
  {here} {program} show {job.id}
  {here} {program} export {best.architecture_id} --format pt2 -o {folder}
  {program} search mobilenet_small {DATASET} --budget-gmacs 0.005"""
    )
