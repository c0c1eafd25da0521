"""What takes the disk, and what may go."""

from __future__ import annotations

from fastapi import APIRouter

from backend.api.deps import ServicesDep
from backend.retention import freeing
from backend.schemas.disk import DiskUsage, Freed, Retention

router = APIRouter(prefix="/api", tags=["disk"])


@router.get("/disk")
def get_disk(services: ServicesDep) -> DiskUsage:
    """What takes the disk, the largest first, and what is freed by itself."""
    return services.retention.usage()


@router.put("/disk/retention")
def put_retention(rules: Retention, services: ServicesDep) -> Retention:
    """Choose what is freed by itself, from now on and once an hour. What is left out, or null, frees nothing."""
    services.retention.choose(rules)
    services.retention.wake()
    return rules


@router.post("/runs/{run_id}/free")
def free_run(run_id: str, services: ServicesDep) -> Freed:
    """Delete an ended run's checkpoints that nothing goes on from: all but the best one, and but the latest of a run that
    did not complete. Its curves, samples, log and finished model stay."""
    return freeing.free_checkpoints(
        services.database, services.settings.runs_dir, run_id, "they were freed on the disk page or by the API"
    )
