/**
 * What all charts of a run share: the rows in sight, where they are on x, and what is marked there.
 *
 * @import { ReadonlySignal } from "@preact/signals"
 * @import { ChartView } from "../../../charts/view.js"
 * @import { Mark } from "../../../charts/marks.js"
 * @import { RunStore } from "../../../stores/run-store.js"
 * @import { Series } from "../../../charts/series.js"
 * @import { Checkpoint, HeldFinding, MessageEvent, Run } from "../../../types.js"
 *
 * @typedef {object} Scene
 * @property {ReadonlySignal<Series>} shown the whole run, or the detail of the range
 * @property {ReadonlySignal<number[]>} xs where its rows are on x
 * @property {ReadonlySignal<{ start: number, end: number }>} window of x
 * @property {ReadonlySignal<Mark[]>} marks
 * @property {ReadonlySignal<number | null>} ruler where a person put the pin, or the samples that are looked at
 * @property {ReadonlySignal<{ start: number, end: number } | null>} band what is shaded
 * @property {ReadonlySignal<number>} row under the cursor, or the last one in sight
 * @property {(x: number) => number} stepAt
 */
import { useComputed } from "@preact/signals";
import * as format from "../../../format.js";
import { concerns, hasPlace, placeText } from "../../../stores/findings.js";
import { hasEnded } from "../../../stores/run-state.js";
import { lastNumber } from "../../../charts/series.js";
import { axisColumn, horizon, indexAt, translate } from "../../../charts/x-scale.js";

const MOST_WARNINGS = 30;

/** @param {RunStore} store @param {ChartView} view @returns {Scene} */
export function useScene(store, view) {
  const { series, run, zoom } = store;
  const axis = useComputed(() => view.choices.value.x);
  const origin = useComputed(() => series.value.axes.time.find((time) => time != null) ?? 0);
  const shown = useComputed(() => zoom.detail.value ?? series.value);
  const whole = useComputed(() => axisColumn(series.value, axis.value, origin.value));
  const xs = useComputed(() => (shown.value === series.value ? whole.value : axisColumn(shown.value, axis.value, origin.value)));
  const toX = (/** @type {number} */ step) => translate(series.value.x, whole.value, step);

  const window = useComputed(() => {
    const { total_steps: total, status, origin: forked } = /** @type {Run} */ (run.value);
    const first = forked?.state === "exact" ? (forked.step ?? 0) : 0;
    const range = view.range.value ?? { from: first, to: horizon(series.value.x.at(-1) ?? 0, total, !hasEnded(status)) };
    const [start, end] = [toX(range.from), toX(range.to)];
    return { start, end: end > start ? end : start + 1 };
  });
  const events = useComputed(() => [
    ...checkpointMarks(store.checkpoints.value),
    ...warningMarks(store.messages.value, series.peek()),
    ...findingMarks(store.findings.value),
  ]);
  const row = useComputed(() => {
    const { x } = shown.value;
    const last = view.range.value ? indexAt(x, view.range.value.to) : x.length - 1;
    return view.cursor.value === null ? last : Math.min(indexAt(x, view.cursor.value), last);
  });
  return {
    shown,
    xs,
    window,
    marks: useComputed(() => events.value.map((mark) => ({ ...mark, at: toX(mark.at) }))),
    ruler: useComputed(() => {
      const step = view.pinned.value ?? view.picked.value;
      return step === null ? null : toX(step);
    }),
    band: useComputed(() => {
      const span = view.marked.value;
      return span && { start: toX(span.from), end: toX(span.to) };
    }),
    row,
    stepAt: (x) => translate(xs.peek(), shown.peek().x, x),
  };
}

/** @param {Checkpoint[]} checkpoints @returns {Mark[]} at steps */
function checkpointMarks(checkpoints) {
  const kinds = new Map(/** @type {[number, string[]][]} */ (checkpoints.map(({ step }) => [step, []])));
  for (const { step, kind } of checkpoints) kinds.get(step)?.push(kind);
  return [...kinds].map(([step, kind]) => {
    const special = kind.filter((each) => each !== "periodic");
    const note = special.length ? ` (${special.join(", ")})` : "";
    return { at: step, kind: "checkpoint", title: `Checkpoint step ${format.count(step)}${note}` };
  });
}

/** @param {HeldFinding[]} findings @returns {Mark[]} at steps */
const findingMarks = (findings) =>
  concerns(findings)
    .filter(hasPlace)
    .map((finding) => ({ at: finding.from_step, kind: "finding", title: `${finding.title}, ${placeText(finding)}` }));

/** A message tells its time, not its step. @param {MessageEvent[]} messages @param {Series} series @returns {Mark[]} at steps */
function warningMarks(messages, series) {
  const times = axisColumn(series, "time");
  const last = series.x.at(-1) ?? 0;
  if (lastNumber(series.axes.time) === null) return [];
  const warnings = messages.filter(({ level }) => level !== "info").slice(-MOST_WARNINGS);
  return warnings.map(({ time, text, level }) => {
    const step = Math.min(last, Math.max(0, Math.round(translate(times, series.x, Date.parse(time) / 1000))));
    return { at: step, kind: "warning", title: `${level === "error" ? "Error" : "Warning"} at about step ${format.count(step)}: ${text}` };
  });
}
