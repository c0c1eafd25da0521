/**
 * All runs, newest first.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Run } from "../types.js"
 * @import { ApiError } from "../api.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import * as api from "../api.js";
import { BoardStore } from "../board-store.js";
import { ConnectionState } from "../components/connection.js";
import { Icon } from "../components/icon.js";
import { ErrorNotice } from "../components/notice.js";
import { Progress } from "../components/progress.js";
import { Sparkline } from "../components/sparkline.js";
import { StatusBadge } from "../components/status-badge.js";
import { useNow } from "../components/use-now.js";
import * as format from "../format.js";
import { runLink } from "../router.js";
import { hasEnded, progress } from "../run-state.js";

export function BoardPage() {
  const store = useMemo(() => new BoardStore(), []);
  const now = useNow(30_000);

  useEffect(() => {
    document.title = "Runs · Trainboard";
    store.open();
    return () => store.close();
  }, []);

  const runs = store.runs.value;
  if (runs?.length === 0) return html`<${FirstVisit} />`;
  return html`
    <div class="page-head">
      <h1>Runs</h1>
      ${runs && html`<${ConnectionState} state=${store.connection.value} />`}
      <a class="button primary push" href="#/new"><${Icon} name="plus" />New run</a>
    </div>
    <${ErrorNotice} error=${store.error.value} />
    ${runs &&
    html`
      <ul class="board">
        ${runs.map((run) => html`<${BoardRow} key=${run.peek().id} run=${run} now=${now} />`)}
      </ul>
    `}
    ${store.nextPage.value &&
    html`<button class="button more" onClick=${() => store.loadMore()}>Show older runs</button>`}
  `;
}

/** @param {{ run: Signal<Run>, now: Date }} props */
function BoardRow({ run: { value: run }, now }) {
  return html`
    <li class="board-row">
      <div class="board-name">
        <a href=${runLink(run.id)}>${run.name}</a>
        <span class="muted">${run.config.model_name} · ${startOf(run, now)}${run.device ? ` · ${run.device}` : ""}</span>
      </div>
      <div class="board-status"><${StatusBadge} status=${run.status} /></div>
      <${BoardProgress} run=${run} />
      <${Sparkline} values=${run.sparkline} />
      <dl class="board-numbers">
        <div><dt>Loss</dt><dd>${format.loss(run.loss)}</dd></div>
        <div><dt>Validation</dt><dd>${format.loss(run.validation_loss)}</dd></div>
        <div><dt>Tokens/s</dt><dd>${format.count(run.tokens_per_s)}</dd></div>
      </dl>
    </li>
  `;
}

/** @param {Run} run @param {Date} now */
function startOf(run, now) {
  if (run.started_at) return `started ${format.moment(run.started_at, now)}`;
  return `created ${format.moment(run.created_at, now)}`;
}

/** @param {{ run: Run }} props */
function BoardProgress({ run }) {
  if (hasEnded(run.status)) {
    const time = format.elapsed(run.started_at, run.ended_at, new Date());
    return html`
      <div class="board-progress muted">
        ${run.reason && run.status !== "completed"
          ? html`<span class="clamp">${run.reason}</span>`
          : `${format.count(run.step)} steps${time === null ? "" : ` in ${format.duration(time)}`}`}
      </div>
    `;
  }
  if (run.status === "queued") {
    const place = run.queue_position === null ? "" : `: number ${run.queue_position} in the queue`;
    return html`<div class="board-progress muted">Waits for its device${place}</div>`;
  }
  const steps = `${format.count(run.step)} of ${format.count(run.total_steps)} steps`;
  return html`
    <div class="board-progress">
      <${Progress} share=${progress(run)} label=${`Progress of ${run.name}`} />
      <span class="muted">
        ${run.total_steps === null ? "Preparing" : [steps, format.remaining(run.eta_s)].filter(Boolean).join(" · ")}
      </span>
    </div>
  `;
}

/** The board before anything was ever run. */
function FirstVisit() {
  const busy = useSignal(false);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const key = useMemo(api.idempotencyKey, []);

  const start = async () => {
    busy.value = true;
    error.value = null;
    try {
      const { presets } = await api.getConfigSchema();
      const sample = presets.find((preset) => preset.id === "sample");
      const run = await api.createRun(sample?.config ?? {}, key);
      location.hash = runLink(run.id);
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
      busy.value = false;
    }
  };

  return html`
    <section class="empty">
      <h1>Watch a language model learn</h1>
      <p>
        Trainboard trains a model on a text file, shows how it gets better step by step, and lets you talk to the result. The
        sample run teaches a very small model to write short stories. It needs no file, no GPU and no network, and takes
        about a minute.
      </p>
      <div class="actions">
        <button class="button primary large" disabled=${busy.value} onClick=${start}>
          <${Icon} name="play" />${busy.value ? "Starting…" : "Start the sample run"}
        </button>
        <a class="button large" href="#/new">Set up your own</a>
      </div>
      <${ErrorNotice} error=${error.value} />
    </section>
  `;
}
