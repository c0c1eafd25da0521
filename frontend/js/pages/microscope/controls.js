/**
 * Which checkpoint, and which row or text.
 *
 * @import { Checkpoint } from "../../types.js"
 * @import { Choice } from "../../stores/microscope/choice.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { Segmented } from "../../components/segmented.js";
import { stopsOf } from "../../stores/microscope/choice.js";

const EXAMPLE = "The little fox went down to the river and met an old heron.";
const MOST_CHARACTERS = 20_000;

/** @param {{ checkpoints: Checkpoint[], choice: Choice, shown: string, choose: (change: Partial<Choice>) => void }} props shown: the checkpoint of the step on the page */
export function Controls({ checkpoints, choice, shown, choose }) {
  const source = useSignal(choice.text === null ? "row" : "text");
  return html`
    <section class="card microscope-controls" aria-label="What to look at">
      <${CheckpointSlider} checkpoints=${checkpoints} name=${choice.checkpoint || shown} choose=${choose} />
      <div class="microscope-source">
        <${Segmented}
          label="What the step learns from"
          name="source"
          options=${[
            ["row", "A row of the dataset"],
            ["text", "A text of your own"],
          ]}
          value=${source.value}
          onChange=${(/** @type {string} */ value) => {
            source.value = value;
            if (value === "row") choose({ text: null });
          }}
        />
        ${source.value === "row" ? html`<${RowField} row=${choice.row} choose=${choose} />` : html`<${TextField} text=${choice.text} choose=${choose} />`}
      </div>
    </section>
  `;
}

/** @param {{ checkpoints: Checkpoint[], name: string, choose: (change: Partial<Choice>) => void }} props */
function CheckpointSlider({ checkpoints, name, choose }) {
  const stops = stopsOf(checkpoints);
  const known = stops.findIndex((stop) => stop.name === name);
  const at = useSignal(/** @type {number | null} */ (null)); // while it is dragged
  const place = at.value ?? (known >= 0 ? known : stops.length - 1);
  const { title } = stops[place] ?? stops[0];
  return html`
    <label class="stacked">
      <span>Checkpoint: <strong>${title}</strong></span>
      <input
        type="range"
        min="0"
        max=${stops.length - 1}
        step="1"
        aria-label="Checkpoint"
        aria-valuetext=${title}
        disabled=${stops.length === 1}
        value=${place}
        onInput=${(/** @type {Event} */ event) => (at.value = Number(valueOf(event)))}
        onChange=${(/** @type {Event} */ event) => {
          at.value = null;
          choose({ checkpoint: stops[Number(valueOf(event))].name });
        }}
      />
      <span class="field-help">${stops.length === 1 ? "This run has saved nothing yet." : `From the model that the run began with to the last one it saved, ${stops.length} in all.`}</span>
    </label>
  `;
}

/** @param {{ row: number, choose: (change: Partial<Choice>) => void }} props */
function RowField({ row, choose }) {
  const change = (/** @type {Event} */ event) => {
    const wanted = Math.floor(Number(valueOf(event)));
    if (wanted >= 1) choose({ row: wanted, text: null });
    else /** @type {HTMLInputElement} */ (event.target).value = String(row); // no number: as it was
  };
  return html`
    <label class="stacked">
      <span>Row</span>
      <input
        class="number"
        type="text"
        inputmode="numeric"
        value=${row}
        onChange=${change}
      />
      <span class="field-help">Counted from 1, in the order of the file.</span>
    </label>
  `;
}

/** @param {{ text: string | null, choose: (change: Partial<Choice>) => void }} props */
function TextField({ text, choose }) {
  const typed = useSignal(text ?? EXAMPLE);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    choose({ text: typed.value });
  };
  return html`
    <form class="stacked" onSubmit=${submit}>
      <label class="stacked">
        <span>Text</span>
        <textarea
          rows="3"
          dir="auto"
          maxlength=${MOST_CHARACTERS}
          value=${typed.value}
          onInput=${(/** @type {Event} */ event) => (typed.value = valueOf(event))}
        />
      </label>
      <div class="actions"><button class="button primary" disabled=${!typed.value.trim()}>Look at this text</button></div>
    </form>
  `;
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;
