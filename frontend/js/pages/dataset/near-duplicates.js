/**
 * Examples that are nearly the same, and those that a test would know from learning: how many, some of them, and what to do.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Dataset, NearDuplicates } from "../../types.js"
 */
import { html } from "htm/preact";
import { Notice } from "../../components/notice.js";
import { Pair } from "../../components/pair.js";
import { count } from "../../format.js";
import { trainOnLink } from "../../router.js";

/**
 * @typedef {object} Props
 * @property {Dataset} dataset
 * @property {NearDuplicates} found
 * @property {number} validation how many examples are for validation
 * @property {Signal<boolean>} byGroup whether they were split by group
 * @property {(row: number) => void} onRow
 */

/** @param {Props} props */
export function NearDuplicatesSection({ dataset, found, validation, byGroup, onRow }) {
  if (!found.rows) return null;
  const leaked = found.leaked_rows;
  return html`
    <section class="near-duplicates" aria-label="Near-duplicates">
      <${Notice}
        tone=${leaked ? "warning" : byGroup.value ? "good" : "plain"}
        title=${leaked
          ? `${count(leaked)} of ${count(validation)} validation examples are nearly the same as one that is learned`
          : "No validation example is nearly the same as one that is learned"}
      >
        ${leaked
          ? "Validation loss would look better than the model is. Split by group, near-duplicates are all on one side."
          : byGroup.value && "Split by group, near-duplicates are all on one side."}
        ${(leaked > 0 || byGroup.value) && html`<${Actions} dataset=${dataset} byGroup=${byGroup} />`}
      <//>
      <details>
        <summary>${leaked ? "Examples that leak" : "Examples that are nearly the same"}</summary>
        ${found.examples.map((pair) => html`<${Pair} key=${pair.rows.map(({ row }) => row).join()} pair=${pair} onRow=${onRow} />`)}
      </details>
    </section>
  `;
}

/** @param {Pick<Props, "dataset" | "byGroup">} props */
function Actions({ dataset, byGroup }) {
  const toggle = () => (byGroup.value = !byGroup.value);
  return html`
    <div class="actions">
      <button type="button" class="button small" aria-pressed=${byGroup.value} onClick=${toggle}>
        ${byGroup.value ? "Split each by itself" : "Split by group"}
      </button>
      ${byGroup.value &&
      html`<a class="button small" href=${trainOnLink(dataset.id, true)}>Train on it, split by group</a>`}
    </div>
  `;
}
