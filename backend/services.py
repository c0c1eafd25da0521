"""The parts a server is made of, in one place, for the routes to reach."""

from __future__ import annotations

from dataclasses import dataclass

from backend.datasets.store import Datasets
from backend.db.database import Database
from backend.disk_space import Reserve
from backend.evaluations.queue import Evaluations
from backend.events.broadcast import Broadcaster
from backend.events.webhooks import Webhooks
from backend.exports.keeper import Exports
from backend.models.catalog import Catalog
from backend.processes.helper import Helper
from backend.retention.sweeper import RetentionSweeper
from backend.runs.judging.coaching import Coach
from backend.runs.microscope import Microscope
from backend.runs.preflight import Estimates
from backend.runs.supervisor import Supervisor
from backend.schemas.system import Device
from backend.settings import Settings
from backend.shares.links import Shares
from backend.system.machine import Sampler
from backend.votes.ballot_box import Votes


@dataclass(frozen=True)
class Services:
    settings: Settings
    database: Database
    broadcaster: Broadcaster
    supervisor: Supervisor
    coach: Coach
    datasets: Datasets
    catalog: Catalog
    votes: Votes
    shares: Shares
    generator: Helper
    inspector: Helper
    estimates: Estimates
    microscope: Microscope
    evaluations: Evaluations
    exports: Exports
    devices: list[Device]
    sampler: Sampler
    reserve: Reserve
    retention: RetentionSweeper
    webhooks: Webhooks | None
