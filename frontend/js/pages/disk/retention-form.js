/** @import { Retention } from "../../types.js" */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";

const GB = 1e9;

const FIELDS = /** @type {const} */ ([
  {
    name: "checkpoint_days",
    label: "Checkpoints, after days",
    help: "Of runs that ended so long ago, but the best one, and but the latest of a run that may go on. Finished models stay.",
    unit: 1,
  },
  { name: "archived_days", label: "Archived runs, after days", help: "Whole, with their models, so long after their end.", unit: 1 },
  {
    name: "quota_bytes",
    label: "Above a quota of GB",
    help: "As long as all data take more: those checkpoints at once, then archived runs, the oldest first.",
    unit: GB,
  },
]);

/**
 * What is deleted by itself, once an hour.
 *
 * @param {{ rules: Retention, onSave: (rules: Retention) => Promise<void> }} props
 */
export function RetentionForm({ rules, onSave }) {
  const busy = useSignal(false);
  const save = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const typed = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    busy.value = true;
    await onSave(/** @type {Retention} */ (Object.fromEntries(FIELDS.map(({ name, unit }) => [name, valueOf(typed.get(name), unit)]))));
    busy.value = false;
  };
  return html`
    <form class="card retention" onSubmit=${save}>
      <h2>Delete by itself</h2>
      <p class="muted">Looked at once an hour. Leave a field empty, and nothing goes for that reason.</p>
      ${FIELDS.map(
        ({ name, label, help, unit }) => html`
          <div class="retention-field" key=${name}>
            <label for=${`retention-${name}`}>${label}</label>
            <input
              id=${`retention-${name}`}
              name=${name}
              inputmode=${unit === 1 ? "numeric" : "decimal"}
              pattern=${unit === 1 ? "[1-9][0-9]{0,3}" : "[0-9]+([.][0-9]+)?"}
              title=${unit === 1 ? "A whole number from 1" : "A number, such as 50 or 0.5"}
              placeholder="never"
              value=${rules[name] == null ? "" : String(rules[name] / unit)}
              aria-describedby=${`retention-${name}-help`}
            />
            <p class="muted" id=${`retention-${name}-help`}>${help}</p>
          </div>
        `,
      )}
      <button class="button" disabled=${busy.value}>Save</button>
    </form>
  `;
}

/** @param {FormDataEntryValue | null} typed @param {number} unit */
function valueOf(typed, unit) {
  const text = String(typed ?? "").trim();
  return text === "" ? null : Math.round(Number(text) * unit);
}
