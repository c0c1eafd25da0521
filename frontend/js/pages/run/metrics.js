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
        help="How wrong the model's guesses of the next token were in the latest update. Lower is better."
      />
      <${Metric}
        id="validation"
        label="Validation loss"
        value=${format.loss(run.validation_loss)}
        help="The same on examples the model never learns from. It shows whether it understands or only memorises."
      />
      <${Metric}
        id="best"
        label="Best validation"
        value=${format.loss(run.best_validation_loss)}
        help="The lowest validation loss so far. The checkpoint from that moment is kept."
      />
      <${Metric}
        id="rate"
        label="Learning rate"
        value=${format.number(run.learning_rate)}
        help="How big each change of the weights is right now. It climbs at first, then follows the schedule."
      />
      <${Metric}
        id="speed"
        label="Speed"
        value=${format.count(run.tokens_per_s)}
        unit="tokens/s"
        help="Pieces of words that the model learns from each second."
      />
    </div>
  `;
}
