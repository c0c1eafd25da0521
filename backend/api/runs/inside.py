"""What happened inside a run: its layers, where its time went, and which rows stood out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from backend.api.deps import ServicesDep
from backend.api.runs.series import From, To
from backend.metrics.inside import noise_scale, time_shares, time_verdict
from backend.runs import history, lifecycle
from backend.schemas.inside import Layers, OddRowsList, TimeSpent
from backend.series import curves
from backend.series.curves import LAYERS, NOISE, layer_keys
from worker.contract import RunConfig

_NOISE_POINTS = 256

router = APIRouter(prefix="/api/runs/{run_id}", tags=["inside"])


@router.get("/layers")
def get_layers(
    run_id: str,
    services: ServicesDep,
    from_: From = None,
    to: To = None,
    px: Annotated[int, Query(ge=1, le=10_000, description="Most columns, as many as the picture has room for")] = 400,
) -> Layers:
    """Gradients and updates of each part of the model over steps, condensed as curves are; and how much of a gradient is
    chance. Updates are sampled, so that a run is hardly slower."""
    with services.database.read() as connection:
        row = lifecycle.row(connection, run_id)
        told = history.latest(connection, run_id, "layers")
        parts = told.get("parts", [])
        found = history.series(connection, row, layer_keys(parts), from_, to, px)
        noise = curves.read(connection, run_id, row.rolled_seq, NOISE, None, None, _NOISE_POINTS)
        config = RunConfig.model_validate_json(row.config)
        batch_size = config.window_size
        grad_norm, update_ratio = ([found.series[before + part] for part in parts] for before in LAYERS.values())
        return Layers(
            parts=parts,
            x=found.x,
            grad_norm=grad_norm,
            update_ratio=update_ratio,
            from_=found.from_,
            to=found.to,
            noise_scale=noise_scale(noise.curves[NOISE[0]], noise.curves[NOISE[1]], batch_size),
            stream_cursor=lifecycle.newest_cursor(connection),
        )


@router.get("/timing")
def get_timing(run_id: str, services: ServicesDep) -> TimeSpent:
    """Where the time went, as shares that add up, and what stands out. Of updates that were made again, the last time."""
    with services.database.read() as connection:
        row = lifecycle.row(connection, run_id)
        events = history.of_type(connection, run_id, "timing")
        shares = time_shares(events)
        config = RunConfig.model_validate_json(row.config)
        return TimeSpent(
            seconds=sum(share.seconds for share in shares),
            shares=shares if events else [],
            verdict=time_verdict(shares, config.model_dump()),
            step=events[-1]["step"] if events else None,
            stream_cursor=lifecycle.newest_cursor(connection),
        )


@router.get("/rows")
def get_rows(run_id: str, services: ServicesDep) -> OddRowsList:
    """The rows around each spike of the loss, and those that the model finds hardest: of what it learned until the latest
    evaluation since the one before, and of what it is tested on."""
    with services.database.read() as connection:
        lifecycle.row(connection, run_id)
        items = history.odd_rows(connection, run_id)
        return OddRowsList(items=items, stream_cursor=lifecycle.newest_cursor(connection))
