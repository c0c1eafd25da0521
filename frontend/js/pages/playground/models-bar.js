/** @import { PlaygroundStore } from "../../stores/playground/playground-store.js" */
import { html } from "htm/preact";
import { Icon } from "../../components/icon.js";
import { ModelOptions } from "../../components/models/model-control.js";
import { MOST_MODELS } from "../../stores/playground/link.js";

/** Which models are asked: one, or up to four side by side. @param {{ store: PlaygroundStore }} props */
export function ModelsBar({ store }) {
  const chosen = store.models.value;
  const listed = store.listed.value ?? [];
  const others = listed.filter(({ id }) => !chosen.includes(id));
  const many = chosen.length > 1;
  return html`
    <div class="models-bar">
      ${chosen.map(
        (id, place) => html`
          <div class="model-slot" key=${place}>
            <label class="stacked">
              <span>${many ? `Model ${place + 1}` : "Model"}</span>
              <select value=${id} onChange=${(/** @type {Event} */ event) => store.choose(place, valueOf(event))}>
                ${!store.find(id) && html`<option value=${id}>${id}</option>`}
                <${ModelOptions} models=${listed.filter((model) => model.id === id || !chosen.includes(model.id))} />
              </select>
            </label>
            ${many &&
            html`
              <button type="button" class="icon-button" aria-label=${`Leave out model ${place + 1}`} onClick=${() => store.leaveOut(place)}>
                <${Icon} name="cross" />
              </button>
            `}
          </div>
        `,
      )}
      ${chosen.length < MOST_MODELS &&
      others.length > 0 &&
      html`
        <button type="button" class="button" onClick=${() => store.choose(chosen.length, others[0].id)}>
          <${Icon} name="plus" />${many ? "Another model" : "Compare with another"}
        </button>
      `}
    </div>
  `;
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLSelectElement} */ (event.target).value;
