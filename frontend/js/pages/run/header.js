/**
 * Name, status, progress and the actions of a run.
 *
 * @import { Config, Relative, Run, RunOrigin } from "../../types.js"
 * @import { RunAction } from "../../server/api.js"
 * @import { ApiError } from "../../server/requests.js"
 * @import { ForkWish } from "../../stores/fork.js"
 * @import { RunStore } from "../../stores/run-store.js"
 */
import { useComputed, useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { deleteRun, renameRun } from "../../server/api.js";
import { ConfirmButton } from "../../components/confirm-button.js";
import { ConnectionState } from "../../components/frame/connection.js";
import { Icon } from "../../components/icon.js";
import { ErrorNotice } from "../../components/notice.js";
import { Progress } from "../../components/progress.js";
import { Rename } from "../../components/rename.js";
import { Explained } from "../../components/explained.js";
import { LearnLink } from "../../components/learn-link.js";
import { StatusBadge } from "../../components/status-badge.js";
import { useNow } from "../../components/hooks/use-now.js";
import * as format from "../../format.js";
import { compareLink, evaluateLink, microscopeLink, playgroundLink, runLink, sameRunLink } from "../../router.js";
import { changesText, forkSteps } from "../../stores/fork.js";
import { hasEnded, progress } from "../../stores/run-state.js";

const AT_REST = ["queued", "paused"];
const BROKEN = ["failed", "interrupted"];
const GOES_ON = "It goes on from its last checkpoint, or from the start if it has none.";

/** How long a worker may take to obey a stop before the page offers to end it by force. */
const PATIENCE_MS = 15_000;

const PHASES = /** @type {Record<string, string>} */ ({
  preparing: "getting data and model ready",
  training: "training",
  evaluating: "measuring validation loss",
  saving: "saving",
  paused: "keeps its device until it is resumed or stopped",
});

/** @param {{ store: RunStore, behind: string, family: Relative[], onFork: (wish: ForkWish) => void }} props */
export function Header({ store, behind, family, onFork }) {
  const run = /** @type {Run} */ (store.run.value);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const rename = (/** @type {string} */ name) => attempt(error, async () => store.take(await renameRun(run.id, name)));
  return html`
    <header class="run-head">
      <div class="page-head">
        <${Rename} name=${run.name} label="Name of the run" onRename=${rename} />
        <span class="status-here"><${StatusBadge} status=${run.status} /> <${LearnLink} page=${run.status} what=${`“${run.status}”`} /></span>
        <${ConnectionState} state=${store.connection.value} detail=${behind} />
        <div class="actions push">
          <a class="button" href=${microscopeLink(run.id)} title="One training step of this run, slowed down">Microscope</a>
          <a class="button" href=${sameRunLink(run.id)} title="The form, filled in like this run">New run like this</a>
          <button
            type="button"
            class="button"
            title="A new run from the start or a checkpoint of this one, with some settings changed"
            onClick=${() => onFork({ step: forkSteps(store.checkpoints.peek()).at(-1) ?? null, changes: {} })}
          >
            <${Icon} name="fork" />Fork
          </button>
          <${Actions} store=${store} error=${error} />
        </div>
      </div>
      <${ErrorNotice} error=${error.value} />
      ${run.origin && html`<${OriginLine} run=${run} origin=${run.origin} family=${family} />`}
      <${Standing} run=${run} />
    </header>
  `;
}

/** Which run it was forked from, and how it differs. @param {{ run: Run, origin: RunOrigin, family: Relative[] }} props */
function OriginLine({ run, origin, family }) {
  const parent = family.find(({ id, status }) => id === origin.run && status !== null);
  const place = origin.step == null ? "" : ` at step ${format.count(origin.step)}`;
  return html`
    <p class="origin">
      <${Icon} name="fork" />
      <span>
        Forked from ${parent ? html`<a href=${runLink(parent.id)}>${parent.name}</a>` : origin.name}${place}${
          origin.state === "weights" ? ", weights alone" : ""
        }:${" "}${changesText(origin)}.
        ${parent && html`<a href=${compareLink([parent.id, run.id])}>Compare the two</a>`}
      </span>
    </p>
  `;
}

/**
 * @param {import("@preact/signals").Signal<ApiError | null>} error
 * @param {() => Promise<unknown>} work
 */
async function attempt(error, work) {
  error.value = null;
  try {
    await work();
  } catch (reason) {
    error.value = /** @type {ApiError} */ (reason);
  }
}

/** @param {{ store: RunStore, error: import("@preact/signals").Signal<ApiError | null> }} props */
function Actions({ store, error }) {
  const status = useComputed(() => /** @type {Run} */ (store.run.value).status).value;
  const overdue = useOverdue(status === "stopping");
  // The buttons below have keys: one that asks back must never turn into another when the run ends meanwhile.
  const act = (/** @type {RunAction} */ action) => attempt(error, () => store.act(action));
  const remove = () =>
    attempt(error, async () => {
      await deleteRun(store.id);
      location.hash = "#/";
    });

  if (hasEnded(status)) {
    const saved = store.checkpoints.value.filter((each) => each.model);
    const last = saved.find((each) => each.kind === "final") ?? saved.findLast((each) => each.kind === "best") ?? saved.at(-1);
    const model = last?.model;
    return html`
      ${status === "stopped" && html`<${Act} key="resume" icon="play" title=${GOES_ON} onClick=${() => act("resume")}>Resume<//>`}
      ${BROKEN.includes(status) && html`<${Act} key="retry" icon="again" title=${GOES_ON} onClick=${() => act("retry")}>Retry<//>`}
      ${model && html`<a class="button primary" href=${playgroundLink(model)}>Try the model</a>`}
      ${model && html`<a class="button" href=${evaluateLink([model], "datasets", keptAside(store.run.value))}>Evaluate</a>`}
      <${ConfirmButton} key="delete" question="Delete this run and its model?" confirm="Delete" cancel="Keep" onConfirm=${remove}>
        <${Icon} name="trash" />Delete
      <//>
    `;
  }
  if (status === "stopping") {
    if (!overdue) return html`<span class="muted">Finishing its step and saving what it learned</span>`;
    return html`
      <span class="muted">The worker does not answer.</span>
      <${ConfirmButton}
        key="kill"
        question="End it by force? What came after the last checkpoint is lost."
        confirm="Kill the worker"
        cancel="Wait"
        onConfirm=${() => act("kill")}
      >Kill<//>
    `;
  }
  return html`
    ${status === "running" && html`<${Act} key="pause" icon="pause" onClick=${() => act("pause")}>Pause<//>`}
    ${status === "pausing" && html`<span class="muted">Pausing as soon as it can</span>`}
    ${status === "paused" && html`<${Act} key="resume" icon="play" tone="primary" onClick=${() => act("resume")}>Resume<//>`}
    <${ConfirmButton}
      key="stop"
      question="Stop here? What was learned so far is kept."
      confirm="Stop"
      cancel=${status === "paused" ? "Stay paused" : "Keep training"}
      onConfirm=${() => act("stop")}
    ><${Icon} name="stop" />Stop<//>
  `;
}

/** What the run keeps aside to test on, as evaluations name it. @param {Run | null} run */
const keptAside = (run) => (run && (run.config.validation_split || run.config.validation_dataset) ? [`run:${run.id}`] : []);

/**
 * A button that acts at once.
 *
 * @param {object} props
 * @param {Parameters<typeof Icon>[0]["name"]} props.icon
 * @param {string} props.children
 * @param {() => Promise<void>} props.onClick
 * @param {string} [props.tone] class of the button
 * @param {string} [props.title]
 */
function Act({ icon, children, onClick, tone = "", title }) {
  const busy = useSignal(false);
  const act = async () => {
    busy.value = true;
    await onClick();
    busy.value = false;
  };
  return html`
    <button type="button" class="button ${tone}" title=${title} disabled=${busy.value} onClick=${act}>
      <${Icon} name=${icon} />${children}
    </button>
  `;
}

/** @param {boolean} waiting @returns {boolean} whether that has lasted too long */
function useOverdue(waiting) {
  const overdue = useSignal(false);
  useEffect(() => {
    overdue.value = false;
    if (!waiting) return undefined;
    const timer = setTimeout(() => (overdue.value = true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [waiting]);
  return overdue.value;
}

/** Progress bar and the line under it. @param {{ run: Run }} props */
function Standing({ run }) {
  const ended = hasEnded(run.status);
  const now = useNow(1000);
  const time = format.elapsed(run.started_at, run.ended_at, now);
  /** @type {[text: string | null, number?: string][]} what explains it: see learn/numbers.js */
  const facts = [
    [stepsOf(run), "step"],
    [run.epoch === null || !run.step ? "" : `epoch ${run.epoch.toFixed(2)}`, "epoch"],
    [time === null ? "" : `${format.duration(time)}${ended ? "" : " so far"}`, "time"],
    [ended || AT_REST.includes(run.status) ? "" : format.remaining(run.eta_s), "forecast_time"],
    [run.resumed_step ? `went on from update ${format.count(run.resumed_step)}` : ""],
    [run.device && `${run.device.replaceAll(",", " + ")}${run.precision ? `, ${run.precision}` : ""}`],
    [run.parameters === null ? "" : `${format.short(run.parameters)} weights`, "weights"],
    [examplesOf(run), "examples_per_update"],
    [ended || !run.phase ? "" : PHASES[run.phase]],
  ];
  return html`
    ${!ended && html`<${Progress} share=${progress(run)} label="Progress of the run" />`}
    <p class="facts">${facts.map(([text, number]) => text && html`<span>${number ? html`<${Explained} number=${number}>${text}<//>` : text}</span>`)}</p>
    ${run.status === "stopped" && run.reason && html`<p class="muted">${run.reason}</p>`}
  `;
}

/** What one update learns from, as it is now: after a lack of memory it is no longer what was set. @param {Run} run */
function examplesOf({ batch_size: size, gradient_accumulation_steps: batches, config }) {
  if (size === null || batches === null) return "";
  const times = (/** @type {Config[string][]} */ ...numbers) => numbers.filter((number) => number !== 1).join(" × ") || "1";
  const used = times(size, batches, config.devices);
  const set = times(config.batch_size, config.gradient_accumulation_steps, config.devices);
  return `${used} ${used === "1" ? "example" : "examples"} per update${used === set ? "" : `, for ${set} did not fit the memory`}`;
}

/** @param {Run} run */
function stepsOf(run) {
  if (run.status === "queued") return run.queue_position === null ? "queued" : `number ${run.queue_position} in the queue`;
  if (run.total_steps === null) return "";
  return `step ${format.count(run.step)} of ${format.count(run.total_steps)}`;
}
