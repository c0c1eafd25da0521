/**
 * @import { Signal } from "@preact/signals"
 * @import { BoardStore } from "../../stores/board-store.js"
 * @import { Run } from "../../types.js"
 */
import { useComputed, useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { FindingBadge } from "../../components/finding-badge.js";
import { Explained } from "../../components/explained.js";
import { Icon } from "../../components/icon.js";
import { Progress } from "../../components/progress.js";
import { Sparkline } from "../../components/sparkline.js";
import { StatusBadge } from "../../components/status-badge.js";
import * as format from "../../format.js";
import { evaluateLink, runLink } from "../../router.js";
import { hasEnded, progress } from "../../stores/run-state.js";
import { EditDialog } from "./edit-dialog.js";

/** @param {{ run: Signal<Run>, store: BoardStore, now: Date, first: boolean }} props `first`: its labels can be reached by Tab */
export function BoardRow({ run: { value: run }, store, now, first }) {
  const editing = useSignal(false);
  // The numbers stand above the link that the row is, so that they can be pointed at. The first tap explains one.
  const open = (/** @type {Event} */ event) => {
    if (!event.defaultPrevented && !(event.target instanceof HTMLAnchorElement)) location.hash = runLink(run.id);
  };
  return html`
    <li class="board-row">
      <${Selector} id=${run.id} name=${run.name} store=${store} />
      <div class="board-name">
        <a href=${runLink(run.id)}>${run.name}</a>
        <span class="muted">${run.config.model_name} · ${startOf(run, now)}${run.device ? ` · ${run.device}` : ""}</span>
        ${run.tags.length > 0 && html`<span class="tags">${run.tags.map((tag) => html`<span key=${tag} class="tag">${tag}</span>`)}</span>`}
        ${run.notes && html`<span class="board-notes muted" title=${run.notes}>${run.notes}</span>`}
      </div>
      <div class="board-status"><${StatusBadge} status=${run.status} /><${Health} run=${run} /></div>
      <${BoardProgress} run=${run} />
      <${Sparkline} values=${run.sparkline} label="Training loss so far" />
      <dl class="board-numbers" onClick=${open}>
        <${Number} number="loss" label="Loss" first=${first}>${format.loss(run.loss)}<//>
        <${Number} number="validation" label="Validation" first=${first}>${format.loss(run.validation_loss)}<//>
        <${Number} number="speed" label="Tokens/s" first=${first}>${format.count(run.tokens_per_s)}<//>
      </dl>
      <button
        type="button"
        class="icon-button"
        aria-label=${`Edit ${run.name}`}
        title="Edit name, tags and notes"
        onClick=${() => (editing.value = true)}
      >
        <${Icon} name="pencil" />
      </button>
      ${editing.value &&
      html`
        <${EditDialog} run=${run} onClose=${() => (editing.value = false)} onSaved=${(/** @type {Run} */ saved) => store.take(saved)} />
      `}
    </li>
  `;
}

/** The worst that the coach finds; of a run that learns nothing need be said. @param {{ run: Run }} props */
function Health({ run: { findings: [worst] = [] } }) {
  return worst && worst.level !== "good" ? html`<${FindingBadge} finding=${worst} />` : null;
}

/** @param {{ number: string, label: string, first: boolean, children: string }} props */
function Number({ number, label, first, children }) {
  return html`<div data-explain=${number}><dt>${first ? html`<${Explained} number=${number}>${label}<//>` : label}</dt><dd>${children}</dd></div>`;
}

/** Redraws alone, so that choosing a run does not redraw thousands of rows. @param {{ id: string, name: string, store: BoardStore }} props */
function Selector({ id, name, store }) {
  const chosen = useComputed(() => store.selected.value.has(id));
  return html`
    <label class="board-select">
      <input
        type="checkbox"
        aria-label=${`Select ${name}`}
        checked=${chosen.value}
        onChange=${(/** @type {Event} */ event) => store.select(id, /** @type {HTMLInputElement} */ (event.target).checked)}
      />
    </label>
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
        ${run.status === "completed" &&
        html`${" "}<a href=${evaluateLink([`run:${run.id}`])} aria-label=${`Evaluate ${run.name}`}>Evaluate</a>`}
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
