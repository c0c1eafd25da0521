/**
 * The curves of a run, with one cursor, one range and one toolbar for all.
 *
 * @import { ChartView } from "../../charts/view.js"
 * @import { ForkWish } from "../../stores/fork.js"
 * @import { RunStore } from "../../stores/run-store.js"
 */
import { useComputed, useSignalEffect } from "@preact/signals";
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { hasEnded } from "../../stores/run-state.js";
import { FigureCard } from "./charts/figure.js";
import { FIGURES, shownFigures } from "./charts/figures.js";
import { useScene } from "./charts/scene.js";
import { Toolbar } from "./charts/toolbar.js";

const LEAST_POINTS = 300;

/** @param {{ store: RunStore, view: ChartView, onFork: (wish: ForkWish) => void }} props */
export function Charts({ store, view, onFork }) {
  const scene = useScene(store, view);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  // As text, so that the cards are left alone until another one has something to show.
  const shown = useComputed(() => shownFigures(store.series.value).join(" "));

  useSignalEffect(() => {
    const range = view.range.value;
    store.zoom.show(range, Math.max(LEAST_POINTS, box.current?.clientWidth ?? 0));
  });

  // The machine is measured before there is anything to learn from it.
  if (!shown.value.startsWith(FIGURES[0].id)) return html`<${Waiting} store=${store} />`;
  const [loss, ...others] = FIGURES.filter(({ id }) => shown.value.split(" ").includes(id));
  return html`
    <div class="charts" ref=${box}>
      <${Toolbar} store=${store} view=${view} onFork=${onFork} />
      <${FigureCard} key=${loss.id} figure=${loss} store=${store} view=${view} scene=${scene} />
      <div class="charts-small">
        ${others.map((figure) => html`<${FigureCard} key=${figure.id} figure=${figure} store=${store} view=${view} scene=${scene} />`)}
      </div>
      <p class="visually-hidden" aria-live="polite">${view.spoken}</p>
    </div>
  `;
}

/** In place of the charts until there is something to draw. @param {{ store: RunStore }} props */
function Waiting({ store }) {
  const status = useComputed(() => store.run.value?.status).value;
  const messages = store.messages.value.slice(-6);
  const headline = status === "queued" ? "Waiting for the device to be free" : "Getting ready";
  const ended = status !== undefined && hasEnded(status);
  return html`
    <section class="card waiting ${ended ? "" : "tall"}">
      <h2>${ended ? "Ended before the first step" : headline}</h2>
      <ul aria-live="polite">
        ${messages.map((message) => html`<li key=${message.cursor}>${message.text}</li>`)}
      </ul>
    </section>
  `;
}
