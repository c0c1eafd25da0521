/**
 * How a run's summary follows its events. Pure.
 *
 * @import { Run, RunEvent, StepEvent, Status } from "../types.js"
 */
import { withFinding } from "./findings.js";

/** @type {Status[]} */
const ENDED = ["completed", "stopped", "failed", "interrupted"];

const FACTS = /** @type {const} */ ([
  ...["total_steps", "precision", "parameters", "train_examples", "validation_examples"],
  ...["batch_size", "gradient_accumulation_steps", "resumed_step"],
]);

const SPARKLINE_POINTS = 60;
const ETA_SMOOTHING = 0.05;

/** @param {Status} status */
export function hasEnded(status) {
  return ENDED.includes(status);
}

/**
 * @param {Run} run
 * @param {RunEvent} event
 * @returns {Run} the same object if the event is older than the run's snapshot
 */
export function applyEvent(run, event) {
  if (event.cursor <= run.stream_cursor) return run;
  const next = { ...run, stream_cursor: event.cursor };
  if (event.type === "server") {
    next.status = event.status;
    next.reason = event.reason ?? run.reason;
  } else if (event.type === "status") {
    next.phase = event.phase;
    next.reason = event.reason ?? run.reason;
    next.hint = event.hint ?? run.hint;
    for (const name of FACTS) Object.assign(next, event[name] == null ? {} : { [name]: event[name] });
    if (event.phase === "paused") next.eta_s = null; // the time in between says nothing of the pace
    if (event.resumed_step != null) Object.assign(next, rolledBack(run, event.resumed_step, event.cursor));
  } else if (event.type === "evaluation") {
    next.validation_loss = event.loss;
    if (event.best) next.best_validation_loss = event.loss;
  } else if (event.type === "step") {
    Object.assign(next, afterStep(run, event));
  } else if (event.type === "finding") {
    next.findings = withFinding(run.findings ?? [], event);
  }
  return next;
}

/**
 * What later updates brought no longer counts. What stood before them, a snapshot must tell.
 *
 * @param {Run} run
 * @param {number} step
 * @param {number} cursor
 */
function rolledBack(run, step, cursor) {
  const { sparkline, sparkline_step: reached = run.step } = run;
  const kept = reached > step ? Math.round((sparkline.length * step) / reached) : sparkline.length;
  return {
    ...{ step, eta_s: null, rolled_back: cursor, sparkline: sparkline.slice(0, kept), sparkline_step: Math.min(reached, step) },
    ...{ loss: undefined, validation_loss: undefined, best_validation_loss: undefined, findings: undefined },
  };
}

/** @param {Run} run @param {StepEvent} event */
function afterStep(run, event) {
  return {
    step: event.step,
    epoch: event.epoch,
    loss: event.loss,
    learning_rate: event.lr,
    tokens_per_s: event.tokens_per_s,
    eta_s: secondsLeft(run, event),
    ...extendSparkline(run, event),
  };
}

/** The pace so far, moved a little towards this step's, times the steps left. @param {Run} run @param {StepEvent} event */
function secondsLeft(run, event) {
  if (run.total_steps === null) return null;
  const latest = event.step_ms / 1000;
  const before = run.total_steps - run.step;
  const pace = run.eta_s !== null && before > 0 ? run.eta_s / before : latest;
  return Math.max(0, run.total_steps - event.step) * (pace + ETA_SMOOTHING * (latest - pace));
}

/**
 * A sparkline's points are evenly spread over the run: add this loss once their usual distance is reached, and drop
 * every second point when there are too many.
 *
 * @param {Run} run
 * @param {StepEvent} event
 */
function extendSparkline(run, event) {
  const { sparkline, sparkline_step: reached = run.step } = run;
  const distance = sparkline.length > 1 ? reached / sparkline.length : 1;
  if (event.step - reached < distance) return { sparkline, sparkline_step: reached };
  const points = [...sparkline, event.loss];
  const kept = points.length > SPARKLINE_POINTS ? points.filter((_, i) => i % 2 === 0) : points;
  return { sparkline: kept, sparkline_step: event.step };
}

/**
 * Take a fetched run in without going back in time: events may have come while the answer was on its way.
 *
 * @param {Run | null} current
 * @param {Run} snapshot
 * @returns {Run}
 */
export function mergeSnapshot(current, snapshot) {
  if (!current || snapshot.stream_cursor >= current.stream_cursor) return snapshot;
  const { step, epoch, learning_rate, tokens_per_s, eta_s, stream_cursor, rolled_back } = current;
  const { status, phase, resumed_step, sparkline, sparkline_step } = current;
  // What is undefined was rolled back, so that only a snapshot of later knows it.
  const source = snapshot.stream_cursor >= (rolled_back ?? 0) ? snapshot : current;
  const { loss = source.loss, validation_loss = source.validation_loss } = current;
  const { best_validation_loss = source.best_validation_loss, findings = source.findings } = current;
  return {
    ...snapshot,
    ...{ status, phase, resumed_step, step, epoch, loss, validation_loss, best_validation_loss, findings },
    ...{ learning_rate, tokens_per_s, eta_s, sparkline, sparkline_step, rolled_back, stream_cursor },
  };
}

/** @param {Run} run @returns {number | null} share done, 0 to 1 */
export function progress(run) {
  return run.total_steps ? Math.min(1, run.step / run.total_steps) : null;
}
