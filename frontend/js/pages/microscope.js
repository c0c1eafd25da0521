/**
 * One training step of a run, slowed down: forward, loss, backward, update.
 *
 * @import { Checkpoint, MicroscopeStep, Run } from "../types.js"
 * @import { Choice } from "../stores/microscope/choice.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { ErrorNotice, Notes } from "../components/notice.js";
import { useLatest } from "../components/hooks/use-latest.js";
import { useTask } from "../components/hooks/use-task.js";
import { microscopeLink, runLink } from "../router.js";
import * as api from "../server/api.js";
import { choiceQuery, neighbour, parseChoice, requestOf } from "../stores/microscope/choice.js";
import { limits } from "../stores/microscope/reading.js";
import { Controls } from "./microscope/controls.js";
import { Stages } from "./microscope/stages.js";
import { NotFoundPage } from "./not-found.js";

const KEYS = /** @type {Record<string, 1 | -1>} */ ({ ArrowRight: 1, ArrowLeft: -1 });
const OWN_KEYS = "input, textarea, select, [role=listbox], [role=application]";

/** @param {{ id: string, query: URLSearchParams }} props */
export function MicroscopePage({ id, query }) {
  const { value: known, error } = useLatest(id, () => about(id));
  useEffect(() => {
    document.title = `Microscope · ${known.value?.run.name ?? "Run"} · Trainboard`;
  }, [known.value?.run.name]);

  if (error.value?.status === 404) return html`<${NotFoundPage} what="This run" />`;
  if (error.value) return html`<${ErrorNotice} error=${error.value} />`;
  if (!known.value) return null;
  return html`<${View} run=${known.value.run} checkpoints=${known.value.checkpoints} query=${query} />`;
}

/** @param {string} id @returns {Promise<{ run: Run, checkpoints: Checkpoint[] }>} */
async function about(id) {
  const [run, { items }] = await Promise.all([api.getRun(id), api.getCheckpoints(id)]);
  return { run, checkpoints: items };
}

/** @param {{ run: Run, checkpoints: Checkpoint[], query: URLSearchParams }} props */
function View({ run, checkpoints, query }) {
  const choice = useSignal(parseChoice(query));
  /** @type {ReturnType<typeof useTask<{ text: string }, MicroscopeStep>>} */
  const task = useTask();
  const { busy, progress, result, error } = task;
  const wanted = JSON.stringify(requestOf(choice.value));
  const choose = (/** @type {Partial<Choice>} */ change) => {
    choice.value = { ...choice.value, ...change };
    // Without a step back in the browser's history for each.
    history.replaceState(history.state, "", `${microscopeLink(run.id)}?${choiceQuery(choice.value)}`);
  };

  useEffect(() => {
    choice.value = parseChoice(query);
  }, [query]);
  useEffect(() => {
    task.start((signal) => api.lookAtStep(run.id, JSON.parse(wanted), signal));
  }, [wanted]);
  useEffect(() => {
    const walk = (/** @type {KeyboardEvent} */ event) => {
      const inside = /** @type {HTMLElement} */ (event.target).closest?.(OWN_KEYS);
      if (!(event.key in KEYS) || inside || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      choose({ stage: neighbour(choice.value.stage, KEYS[event.key]) });
    };
    addEventListener("keydown", walk);
    return () => removeEventListener("keydown", walk);
  }, []);

  const step = result.value;
  return html`
    <header class="page-head">
      <h1>Step microscope</h1>
      <a class="push" href=${runLink(run.id)}>Back to ${run.name}</a>
    </header>
    <p class="lead">
      One real training step of this run, slowed down. It is made in memory on a single row and taken back: the run and its
      files stay as they are.
    </p>
    <${Controls} checkpoints=${checkpoints} choice=${choice.value} shown=${step?.checkpoint ?? ""} choose=${choose} />
    <p class="microscope-progress muted" role="status">${busy.value && (progress.value?.text ?? "Waiting for its turn…")}</p>
    <${ErrorNotice} error=${error.value} />
    ${step &&
    html`
      <${Notes} notes=${limits(step)} />
      <div class=${busy.value || error.value ? "stale" : ""} aria-busy=${busy.value}>
        <${Stages} step=${step} choice=${choice.value} choose=${choose} />
      </div>
      <${Differences} step=${step} />
    `}
  `;
}

/** @param {{ step: MicroscopeStep }} props */
function Differences({ step: { notes } }) {
  return html`
    <details class="card fold">
      <summary><h2>How the run’s own updates differ</h2></summary>
      <${Notes} notes=${["This step is computed in fp32 on the processor, whatever the run's device and precision.", ...notes]} />
    </details>
  `;
}
