/**
 * A set of prompts by several models, to read and rate without knowing who wrote what.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Model } from "../../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import { ModelOptions } from "../../components/models/model-control.js";
import { PickList } from "../../components/pick-list.js";
import { count } from "../../format.js";
import { Grid, MOST_PROMPTS, promptsIn, standings } from "../../stores/evaluate/grid.js";
import { GridRow } from "./grid-row.js";

const MOST_MODELS = 4;
const EXAMPLES = "Once upon a time\nThe little fox went to\nOne morning the old owl";

/** @param {{ models: Model[], chosen: Signal<string[]>, nameOf: (id: string) => string }} props */
export function PromptsPart({ models, chosen, nameOf }) {
  const grid = useMemo(() => new Grid(), []);
  const text = useSignal(EXAMPLES);
  const length = useSignal("60");
  const blind = useSignal(true);
  useEffect(() => () => grid.stop(), []);

  const few = chosen.value.slice(0, MOST_MODELS);
  const prompts = promptsIn(text.value);
  const tokens = Number(length.value);
  const usable = few.length > 0 && prompts.length > 0 && prompts.length <= MOST_PROMPTS && tokens >= 1 && tokens <= 1024;
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    grid.write(prompts, few, { seed: 1, max_new_tokens: Math.round(tokens), blind: blind.value && few.length > 1 });
  };
  const rows = grid.rows.value;
  return html`
    <form class="evaluate-form" onSubmit=${submit}>
      <${PickList}
        label="Two to four models"
        add=${few.length ? "Add a model…" : "Choose a model…"}
        chosen=${few}
        most=${MOST_MODELS}
        nameOf=${nameOf}
        options=${html`<${ModelOptions} models=${models.filter((each) => !few.includes(each.id))} />`}
        onChange=${(/** @type {string[]} */ next) => (chosen.value = next)}
      />
      <label class="stacked">
        <span>Prompts, one per line</span>
        <textarea
          rows="5"
          dir="auto"
          value=${text.value}
          onInput=${(/** @type {Event} */ event) => (text.value = /** @type {HTMLTextAreaElement} */ (event.target).value)}
        />
        ${prompts.length > MOST_PROMPTS && html`<strong class="field-help">At most ${MOST_PROMPTS} prompts; these are ${count(prompts.length)}.</strong>`}
      </label>
      <label class="stacked">
        <span>Tokens of each answer, at most</span>
        <input
          type="text"
          inputmode="numeric"
          class="number"
          autocomplete="off"
          value=${length.value}
          onInput=${(/** @type {Event} */ event) => (length.value = /** @type {HTMLInputElement} */ (event.target).value)}
        />
      </label>
      <label class="actions">
        <input
          type="checkbox"
          checked=${blind.value}
          onChange=${(/** @type {Event} */ event) => (blind.value = /** @type {HTMLInputElement} */ (event.target).checked)}
        />
        Hide who wrote what until it is rated
      </label>
      <div class="actions">
        ${grid.busy.value
          ? html`<button type="button" class="button" onClick=${() => grid.stop()}>Stop</button>`
          : html`<button class="button primary" disabled=${!usable}>Write the answers</button>`}
        <span class="muted" role="status">
          ${rows.length > 0 && `${count(rows.filter((row) => row.done).length)} of ${count(rows.length)} prompts answered, ${count(grid.rated.value)} rated`}
        </span>
      </div>
    </form>
    <${Standings} grid=${grid} nameOf=${nameOf} />
    <ol class="grid-rows">
      ${rows.map((row) => html`<${GridRow} key=${row.prompt} row=${row} grid=${grid} nameOf=${nameOf} />`)}
    </ol>
  `;
}

/** Once all are rated, for before it would tell who wrote the rest. @param {{ grid: Grid, nameOf: (id: string) => string }} props */
function Standings({ grid, nameOf }) {
  const rows = grid.rows.value.map(({ answers, verdict }) => ({ answers, verdict: verdict.value }));
  if (rows.length === 0 || grid.rated.value < rows.length) return null;
  return html`
    <section class="card evaluate-result" aria-label="Ratings">
      <p class="evaluate-verdict" role="status">
        ${standings(rows).map(({ model, won, of }) => `${nameOf(model)} was best ${won} of ${of} times`).join(", ")}.
      </p>
      <p class="muted">Your ratings are kept with the playground's votes, where they become a dataset of preferences.</p>
    </section>
  `;
}
