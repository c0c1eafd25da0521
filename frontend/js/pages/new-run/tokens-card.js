/**
 * @import { Config } from "../../types.js"
 * @import { Wanted } from "../../components/data/token-view.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { TokenView } from "../../components/data/token-view.js";

/** The settings that decide what the model reads; others need no new look. */
const DECIDING = [
  ...["model_name", "from_scratch", "max_length", "validation_split", "validation_dataset", "split_by_group", "seed"],
  ...["batch_size", "gradient_accumulation_steps", "packing", "devices"],
];

/** The chosen dataset as the model will see it, once unfolded. @param {{ dataset: string, payload: Config }} props */
export function TokensCard({ dataset, payload }) {
  const open = useSignal(false);
  const wanted = useSignal(/** @type {Wanted} */ ({}));
  useEffect(() => {
    wanted.value = {};
  }, [dataset]);

  const config = Object.fromEntries(Object.entries(payload).filter(([name]) => DECIDING.includes(name)));
  const onToggle = (/** @type {Event} */ event) => (open.value = /** @type {HTMLDetailsElement} */ (event.target).open);
  return html`
    <details class="card fold" onToggle=${onToggle}>
      <summary><h2>What the model will see</h2><span class="muted">the data, token by token</span></summary>
      ${open.value && html`<${TokenView} dataset=${dataset} config=${config} wanted=${wanted} />`}
    </details>
  `;
}
