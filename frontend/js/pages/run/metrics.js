/**
 * @import { Run } from "../../types.js"
 * @import { RunStore } from "../../stores/run-store.js"
 */
import { html } from "htm/preact";
import { Metric } from "../../components/metric.js";
import * as format from "../../format.js";

/** The key numbers. @param {{ store: RunStore }} props */
export function Metrics({ store }) {
  const run = /** @type {Run} */ (store.run.value);
  return html`
    <div class="metrics">
      <${Metric}
        id="loss"
        label="Training loss"
        value=${format.loss(run.loss)}
      />
      <${Metric}
        id="validation"
        label="Validation loss"
        value=${format.loss(run.validation_loss)}
      />
      <${Metric}
        id="best"
        label="Best validation"
        value=${format.loss(run.best_validation_loss)}
      />
      <${Metric}
        id="rate"
        label="Learning rate"
        value=${format.number(run.learning_rate)}
      />
      <${Metric}
        id="speed"
        label="Speed"
        value=${format.count(run.tokens_per_s)}
        unit="tokens/s"
      />
    </div>
  `;
}
