"""Settings of what one owner may ask for; `service.quotas` and `service.rates` hold to them."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class Allowances(BaseSettings):
    """What one owner may ask for, unless it is an administrator; 0 stands for any amount.

    How many jobs run at a time holds for administrators, too, but not for whoever has the token.
    """

    stored_jobs_per_owner: int = Field(100_000, ge=0, description="ended ones included")
    queued_per_owner: int = Field(1000, ge=0, description="jobs")
    running_per_owner: int = Field(0, ge=0, description="jobs; those beyond wait in the queue")
    trials_per_job: int = Field(1000, ge=0)
    training_per_job: float = Field(1e6, ge=0, description="GMACs of one sample × epochs × trials")
    pixels_per_sample: int = Field(2**22, ge=0, description="height × width")
    weights_bytes_per_owner: int = Field(2**40, ge=0, description="of trials, those to come too")
    exported_bytes_per_owner: int = Field(100 * 2**30, ge=0)
    open_exports_per_owner: int = Field(100, ge=0, description="that are not written yet")
    streams_per_owner: int = Field(50, ge=0, description="of events, open at the same time")
    requests_per_second: float = Field(100, ge=0, le=1e6, description="of one owner")
    unknown_requests_per_second: float = Field(
        100, ge=0, le=1e6, description="of one address, without a key that is known"
    )
