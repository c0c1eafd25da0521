/**
 * One run: where it stands, its curves, what it writes, and what can be done with it.
 *
 * @import { ForkWish } from "../stores/fork.js"
 */
import { useComputed, useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import { ChartView } from "../charts/view.js";
import { useLatest } from "../components/hooks/use-latest.js";
import { ErrorNotice, Notice } from "../components/notice.js";
import { getLineage } from "../server/api.js";
import { runLink } from "../router.js";
import { hasEnded } from "../stores/run-state.js";
import { RunStore } from "../stores/run-store.js";
import { NotFoundPage } from "./not-found.js";
import { Charts } from "./run/charts.js";
import { Checkpoints } from "./run/checkpoints.js";
import { Clients } from "./run/sharing/clients.js";
import { Coach } from "./run/coach/coach.js";
import { Downloads } from "./run/sharing/downloads.js";
import { Exports } from "./run/sharing/exports.js";
import { Failure } from "./run/failure.js";
import { ForkDialog } from "./run/coach/fork-dialog.js";
import { ForecastCard } from "./run/forecast.js";
import { Header } from "./run/header.js";
import { Inside } from "./run/inside.js";
import { LineageCard } from "./run/coach/lineage.js";
import { Log } from "./run/log.js";
import { FurtherLosses } from "./run/further-losses.js";
import { Metrics } from "./run/metrics.js";
import { Samples } from "./run/samples.js";
import { Settings } from "./run/settings.js";
import { Shares } from "./run/sharing/shares.js";
import { Tour } from "./run/tour.js";
import { useShow } from "./run/use-show.js";

const MOST_WARNINGS = 3;
const LAGS_KEPT = 30;
const LAG_SHOWN_EVERY_MS = 1000;

/** @param {{ id: string, query: URLSearchParams }} props */
export function RunPage({ id, query }) {
  const store = useMemo(() => new RunStore(id), [id]);
  const view = useMemo(() => new ChartView(id, query), [id]);
  const name = useComputed(() => store.run.value?.name);
  const loaded = useComputed(() => store.run.value !== null);

  useEffect(() => {
    store.open();
    return () => store.close();
  }, [store]);
  useEffect(() => view.follow(query), [query]);
  useShow(query);
  useEffect(() => {
    document.title = `${name.value ?? "Run"} · Trainboard`;
  }, [name.value]);

  if (store.error.value?.status === 404) return html`<${NotFoundPage} what="This run" />`;
  if (store.error.value) return html`<${ErrorNotice} error=${store.error.value} />`;
  if (!loaded.value) return null;
  return html`
    <${RunView} store=${store} view=${view} />
    <${AskedTour} id=${id} query=${query} />
  `;
}

/** The tour, if the link asks for it: once, and not again when the page is loaded anew. @param {{ id: string, query: URLSearchParams }} props */
function AskedTour({ id, query }) {
  const asked = useSignal(false);
  useEffect(() => {
    if (!query.has("tour")) return;
    asked.value = true;
    history.replaceState(history.state, "", runLink(id));
  }, [query]);
  return asked.value && html`<${Tour} onEnd=${() => (asked.value = false)} />`;
}

/**
 * Redrawn only when the run's status changes; the parts that follow every step read the store themselves.
 *
 * @param {{ store: RunStore, view: ChartView }} props
 */
function RunView({ store, view }) {
  const status = useComputed(() => store.run.value?.status);
  const lag = useLag();
  const ended = status.value !== undefined && hasEnded(status.value);
  const lineage = useLatest(`${store.id} ${status.value}`, (signal) => getLineage(store.id, signal));
  const family = lineage.value.value?.items ?? [];
  const wish = useSignal(/** @type {ForkWish | null} */ (null));
  const fork = (/** @type {ForkWish} */ wanted) => (wish.value = wanted);
  return html`
    <div ontrainboard:drawn=${lag.note}>
      <${Header} store=${store} behind=${lag.text.value} family=${family} onFork=${fork} />
      ${(status.value === "failed" || status.value === "interrupted") && html`<${Failure} store=${store} />`}
      <${Metrics} store=${store} />
      <${Coach} store=${store} view=${view} onFork=${fork} />
      <${Warnings} store=${store} />
      <div class="run-columns">
        <div>
          <${Charts} store=${store} view=${view} onFork=${fork} />
          <${Inside} store=${store} />
          <${Log} id=${store.id} active=${!ended} />
        </div>
        <div>
          <${Samples} store=${store} view=${view} />
          <${FurtherLosses} store=${store} />
          <${Checkpoints} store=${store} />
          <${LineageCard} own=${store.id} items=${family} />
          <${Exports} store=${store} />
          <${Clients} store=${store} />
          <${Shares} store=${store} />
          <${ForecastCard} store=${store} />
          <${Settings} store=${store} />
          <${Downloads} store=${store} />
        </div>
      </div>
      ${wish.value && html`<${ForkDialog} store=${store} wish=${wish.value} onClose=${() => (wish.value = null)} />`}
    </div>
  `;
}

/** The latest that the worker warned of, each once. @param {{ store: RunStore }} props */
function Warnings({ store }) {
  const warnings = store.messages.value.filter((message) => message.level !== "info").map((message) => message.text);
  const latest = [...new Set(warnings.reverse())].slice(0, MOST_WARNINGS);
  return latest.map((text) => html`<${Notice} key=${text} tone="warning">${text}<//>`);
}

/** How far the charts are behind the worker: the median over the latest drawings, renewed each second. */
function useLag() {
  const text = useSignal("");
  return useMemo(() => {
    /** @type {number[]} */
    const lags = [];
    let shown = 0;
    const note = (/** @type {CustomEvent<{ time: string }>} */ event) => {
      lags.push(Math.max(0, Date.now() - Date.parse(event.detail.time)));
      if (lags.length > LAGS_KEPT) lags.shift();
      if (Date.now() - shown < LAG_SHOWN_EVERY_MS) return;
      shown = Date.now();
      const median = [...lags].sort((a, b) => a - b)[lags.length >> 1];
      text.value = median < 10_000 ? `${Math.max(10, Math.round(median / 10) * 10)} ms behind` : "";
    };
    return { text, note };
  }, []);
}
