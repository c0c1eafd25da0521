/**
 * A figure of Learn to try: its controls, the drawing, and what it says in words.
 *
 * @import { Choice, Slider, Toy, View } from "../../stores/learn/figures.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { number } from "../../format.js";
import { initialOf } from "../../stores/learn/figures.js";
import { PlotView } from "./plot.js";

/** @param {{ toy: Toy }} props */
export function ToyFigure({ toy }) {
  const values = useSignal(initialOf(toy));
  const view = toy.view(values.value);
  const change = (/** @type {string} */ id, /** @type {number} */ value) => (values.value = { ...values.value, [id]: value });
  return html`
    <figure class="card toy">
      <figcaption><h2>${toy.title}</h2></figcaption>
      <div class="toy-controls">
        ${toy.controls.map((control) => html`<${Control} key=${control.id} control=${control} value=${values.value[control.id]} onChange=${change} />`)}
      </div>
      <${Drawing} view=${view} title=${toy.title} />
      <p class="toy-says" role="status">${view.says}</p>
    </figure>
  `;
}

/** @param {{ control: Slider | Choice, value: number, onChange: (id: string, value: number) => void }} props */
function Control({ control, value, onChange }) {
  const change = (/** @type {Event} */ event) =>
    onChange(control.id, Number(/** @type {HTMLInputElement | HTMLSelectElement} */ (event.target).value));
  if ("options" in control) {
    return html`
      <label>
        <span>${control.label}</span>
        <select value=${value} onChange=${change}>
          ${control.options.map((option, i) => html`<option key=${option} value=${i}>${option}</option>`)}
        </select>
      </label>
    `;
  }
  const { label, min, max, step, format = number } = control;
  return html`
    <label>
      <span>${label} <strong>${format(value)}</strong></span>
      <input type="range" min=${min} max=${max} step=${step} value=${value} aria-valuetext=${format(value)} onInput=${change} />
    </label>
  `;
}

/** @param {{ view: View, title: string }} props */
function Drawing({ view, title }) {
  if (view.kind === "plot") return html`<${PlotView} plot=${view} title=${title} />`;
  if (view.kind === "chips") {
    return html`
      <p class="toy-chips">${view.chips.map(({ text, tone }, i) => html`<span key=${i} data-tone=${tone}>${text.replace(" ", "␣")}</span>`)}</p>
    `;
  }
  if (view.kind === "facts") {
    return html`<dl class="toy-facts">${view.facts.map(([label, value]) => html`<div key=${label}><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>`;
  }
  return html`
    <dl class="toy-bars">
      ${view.bars.map(
        ({ label, value, text, tone = "train" }) => html`
          <div key=${label}>
            <dt>${label}</dt>
            <dd>
              <span class="toy-bar" data-tone=${tone} style=${{ width: `${Math.min(100, (100 * value) / view.max)}%` }}></span>
              <span>${text}</span>
            </dd>
          </div>
        `,
      )}
    </dl>
  `;
}
