/**
 * What models made of a text: who finds it likelier, the numbers, and the text in colours.
 *
 * @import { ScoredText } from "../../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { Notes } from "../../components/notice.js";
import { Segmented } from "../../components/segmented.js";
import { count } from "../../format.js";
import { cellsOf, contrast, verdict } from "../../stores/evaluate/heat.js";
import { MEASURES } from "../../stores/evaluate/table.js";
import { ContrastMap } from "./contrast-map.js";
import { HeatMap } from "./heat-map.js";

/** @param {{ models: ScoredText[], nameOf: (id: string) => string, busy: boolean }} props */
export function ScoredTexts({ models, nameOf, busy }) {
  const view = useSignal("0");
  const named = models.map((model) => ({ ...model, name: nameOf(model.model) }));
  const views = /** @type {[string, string][]} */ (named.map(({ name }, i) => [String(i), name]));
  if (named.length > 1) views.push(["difference", "Difference"]);
  const difference = named.length > 1 && view.value === "difference";
  const shown = named[Number(view.value)] ?? named[0];
  return html`
    <section class="card evaluate-result" aria-label="What the models make of it" aria-busy=${busy}>
      <p class="evaluate-verdict" role="status">${verdict(named)}</p>
      <${Totals} models=${named} />
      <${Notes} notes=${named.flatMap(noteOf)} />
      ${named.length > 1 &&
      html`
        <${Segmented}
          label="Whose view of the text"
          name="view"
          options=${views}
          value=${view.value}
          onChange=${(/** @type {string} */ value) => (view.value = value)}
        />
      `}
      ${difference
        ? html`
            <${ContrastMap}
              pieces=${contrast(cellsOf(named[0].tokens), cellsOf(named[1].tokens))}
              names=${named.map(({ name }) => name)}
            />
          `
        : html`<${HeatMap} key=${shown.model} tokens=${shown.tokens} name=${shown.name} />`}
    </section>
  `;
}

/** @param {ScoredText & { name: string }} model */
const noteOf = ({ name, windows, window_tokens: size }) =>
  windows > 1
    ? [`The text is longer than the ${count(size)} tokens that ${name} reads at once: it was read in ${count(windows)} windows that overlap by half.`]
    : [];

/** @param {{ models: (ScoredText & { name: string })[] }} props */
function Totals({ models }) {
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="Totals">
      <table class="compare side-by-side scores">
        <thead>
          <tr>
            <th scope="col">Model</th>
            ${MEASURES.map(
              ({ key, label, unit, help }) =>
                html`<th key=${key} scope="col" title=${help}>${label}${unit && html`<small>${unit}</small>`}</th>`,
            )}
            <th scope="col">Scored</th>
          </tr>
        </thead>
        <tbody>
          ${models.map(
            ({ model, name, scores }) => html`
              <tr key=${model} data-model=${model}>
                <th scope="row" title=${model}>${name}</th>
                ${MEASURES.map(({ key, show }) => html`<td key=${key} data-measure=${key}>${show(scores[key])}</td>`)}
                <td>${count(scores.tokens)} tokens, ${count(scores.bytes)} bytes</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
