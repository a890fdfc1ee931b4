"""How much one owner may ask for; whoever administrates the server may ask for anything.

Each limit is a setting, and 0 means none. A job that is too large is refused for good (403); one
too many may be handed in later (429). What there is already is counted before the new one is
stored, so requests that come at the same time may exceed a limit by one another.
"""

from __future__ import annotations

from resnas.spec import JobSpec
from service.checked import Checked
from service.errors import OverQuota, TooMany
from service.principals import Principal
from service.settings import Settings
from service.store.repository import Repository
from service.store.values import State

_RETRY_SECONDS = 60
_BYTES = 4
"""Of one parameter in a file of weights."""


def check_job(settings: Settings, principal: Principal, prepared: Checked) -> None:
    """See whether the job is small enough.

    Raises:
        OverQuota: it is not; the message names the setting.
    """
    if principal.is_admin:
        return
    trials = prepared.spec.trials or 1
    _, height, width = prepared.estimate.input_size
    _within("trials", trials, settings.trials_per_job, "RESNAS_TRIALS_PER_JOB")
    _within(
        "pixels of a sample", height * width, settings.pixels_per_sample, "RESNAS_PIXELS_PER_SAMPLE"
    )
    _within(
        "GMACs × epochs × trials",
        training(prepared),
        settings.training_per_job,
        "RESNAS_TRAINING_PER_JOB",
    )


def training(prepared: Checked) -> float:
    """How much a job trains at most: GMACs of one sample × epochs × trials.

    The GMACs are those of the backbone, where every trial begins, or of a larger budget.
    """
    spec, estimate = prepared.spec, prepared.estimate
    gmacs = max(estimate.human_gmacs, min(spec.budget_gmacs, estimate.max_gmacs))
    return gmacs * epochs(spec) * (spec.trials or 1)


def epochs(spec: JobSpec) -> int:
    """The epochs of one trial at most, where a search chooses them."""
    _, most = spec.search.open.get("epochs", (0, spec.training.epochs))
    return round(most)


def check_queue(settings: Settings, principal: Principal, repository: Repository) -> None:
    """See whether the owner may have one more queued job.

    Raises:
        TooMany: not before one of them has started.
    """
    most = settings.queued_per_owner
    if principal.is_admin or not most:
        return
    queued = repository.jobs.count(principal.owner)[State.QUEUED]
    if queued >= most:
        raise TooMany(
            f"jobs of {principal.owner}",
            f"{queued} are queued, and {most} may be (RESNAS_QUEUED_PER_OWNER)",
            "Wait until some have started, or cancel some",
            _RETRY_SECONDS,
        )


def check_stored(settings: Settings, principal: Principal, repository: Repository) -> None:
    """See whether one more job of the owner may be kept; they are kept for good.

    Raises:
        OverQuota: the database has as many as it may have.
    """
    most = settings.stored_jobs_per_owner
    if principal.is_admin or not most:
        return
    if repository.jobs.stored(principal.owner, most) >= most:
        raise OverQuota(
            f"jobs of {principal.owner}",
            f"{most:,} are stored, and no more may be (RESNAS_STORED_JOBS_PER_OWNER)",
            "Ask the server's operator for a larger RESNAS_STORED_JOBS_PER_OWNER",
        )


def check_weights(
    settings: Settings, principal: Principal, repository: Repository, trials: int, params: int
) -> None:
    """See whether the weights of the owner's jobs have room; each trial's are kept for good.

    Args:
        settings: with the limit.
        principal: the owner.
        repository: where the owner's other jobs are.
        trials: how many more there will be at most.
        params: parameters of the network of each.

    Raises:
        OverQuota: with these they would take too much.
    """
    if principal.is_admin or not settings.weights_bytes_per_owner:
        return
    _within(
        "bytes of weights",
        (repository.jobs.parameters(principal.owner) + trials * params) * _BYTES,
        settings.weights_bytes_per_owner,
        "RESNAS_WEIGHTS_BYTES_PER_OWNER",
    )


def check_exports(settings: Settings, principal: Principal, repository: Repository) -> None:
    """See whether the owner may have one more file written.

    Raises:
        OverQuota: the files that are there already take too much room.
        TooMany: not before one of those that were asked for is written.
    """
    if principal.is_admin:
        return
    most = settings.open_exports_per_owner
    if most and (waiting := repository.exports.count_open(principal.owner)) >= most:
        raise TooMany(
            f"exports of {principal.owner}",
            f"{waiting} are not written yet, and {most} may be (RESNAS_OPEN_EXPORTS_PER_OWNER)",
            "Wait until some have been written",
            _RETRY_SECONDS,
        )
    if settings.exported_bytes_per_owner:
        _within(
            "bytes of exported files",
            repository.exports.stored_bytes(principal.owner),
            settings.exported_bytes_per_owner,
            "RESNAS_EXPORTED_BYTES_PER_OWNER",
        )


def _within(what: str, asked: float, most: float, setting: str) -> None:
    if most and asked > most:
        raise OverQuota(
            what,
            f"{asked:,.10g} are more than {most:,.10g}, which {setting} allows",
            f"Ask for less, or ask the server's operator for a larger {setting}",
        )
