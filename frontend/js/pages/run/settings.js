/**
 * @import { Run } from "../../types.js"
 * @import { RunStore } from "../../stores/run-store.js"
 */
import { useComputed } from "@preact/signals";
import { html } from "htm/preact";
import * as format from "../../format.js";
import { learnLink } from "../../router.js";
import { SETTINGS } from "../../stores/learn/links.js";

/** The configuration as the run got it. @param {{ store: RunStore }} props */
export function Settings({ store }) {
  const rows = useComputed(() => rowsOf(/** @type {Run} */ (store.run.value)));
  return html`
    <details class="card fold" data-part="settings">
      <summary><h2>Settings</h2></summary>
      <table class="settings">
        <tbody>
          ${rows.value.map(([name, value]) => html`<tr><th scope="row"><${Name} name=${name} /></th><td>${value}</td></tr>`)}
        </tbody>
      </table>
    </details>
  `;
}

/** @param {{ name: string }} props */
function Name({ name }) {
  return SETTINGS[name] ? html`<a class="explained" href=${learnLink(SETTINGS[name])}>${name}</a>` : name;
}

/** @param {Run} run @returns {[string, string][]} */
function rowsOf(run) {
  const examples = /** @type {[string, string][]} */ ([
    ["training examples", format.count(run.train_examples)],
    ["validation examples", format.count(run.validation_examples)],
  ]);
  const settings = Object.entries(run.config).filter(([, value]) => value !== null);
  return [...settings.map(([name, value]) => /** @type {[string, string]} */ ([name, shown(value)])), ...examples];
}

/** @param {unknown} value */
function shown(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return Array.isArray(value) ? value.join(" · ") : String(value);
}
