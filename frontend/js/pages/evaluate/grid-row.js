/**
 * One prompt and what each model made of it.
 *
 * @import { Grid, Row } from "../../stores/evaluate/grid.js"
 * @import { Verdict } from "../../stores/playground/votes.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { Icon } from "../../components/icon.js";
import { ErrorNotice } from "../../components/notice.js";
import { ApiError } from "../../server/requests.js";
import { letterOf } from "../../stores/playground/votes.js";

/** @param {{ row: Row, grid: Grid, nameOf: (id: string) => string }} props */
export function GridRow({ row, grid, nameOf }) {
  const verdict = row.verdict.value;
  const hidden = grid.blind && verdict === null;
  const best = verdict?.kind === "better" ? verdict.model : null;
  return html`
    <li class="card grid-row">
      <h2 dir="auto">${row.prompt}</h2>
      <div class="grid-answers">
        ${row.answers.map((answer, place) => {
          const name = hidden ? letterOf(place) : nameOf(answer.model);
          return html`
            <section key=${answer.model} aria-label=${`${name}: ${row.prompt}`}>
              <h3>${name}${best === answer.model && html` <span class="tag">best</span>`}</h3>
              <p class="grid-text" dir="auto">${answer.text.value.trimStart()}${answer.busy && html`<span class="caret"></span>`}</p>
              <${ErrorNotice} error=${answer.error.value} />
              ${answer.stopped.value && html`<p class="muted">Stopped.</p>`}
            </section>
          `;
        })}
      </div>
      ${row.answers.length > 1 && row.done && html`<${Rating} row=${row} grid=${grid} nameOf=${nameOf} hidden=${hidden} />`}
    </li>
  `;
}

/** @param {{ row: Row, grid: Grid, nameOf: (id: string) => string, hidden: boolean }} props */
function Rating({ row, grid, nameOf, hidden }) {
  const busy = useSignal(false);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const verdict = row.verdict.value;
  if (verdict) {
    const words = verdict.kind === "better" ? `${nameOf(verdict.model)} is best.` : verdict.kind === "equal" ? "All are equal." : "None is good.";
    return html`<p class="actions" role="status"><${Icon} name="check" /> You said: ${words}</p>`;
  }
  const same = new Set(row.answers.map(({ text }) => text.value)).size === 1;
  const rate = async (/** @type {Verdict} */ given) => {
    busy.value = true;
    error.value = null;
    try {
      await grid.rate(row, given);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    }
    busy.value = false;
  };
  const button = (/** @type {string} */ title, /** @type {Verdict} */ given) =>
    html`<button key=${title} type="button" class="button small" disabled=${busy.value} onClick=${() => rate(given)}>${title}</button>`;
  return html`
    <div class="actions" role="group" aria-label=${`Which answer is best: ${row.prompt}`}>
      <span>Which is best?</span>
      ${!same && row.answers.map(({ model }, place) => button(hidden ? letterOf(place) : nameOf(model), { kind: "better", model }))}
      ${button("All equal", { kind: "equal" })} ${button("None good", { kind: "both_bad" })}
      <${ErrorNotice} error=${error.value} />
    </div>
  `;
}
