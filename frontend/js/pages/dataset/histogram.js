/** @import { Statistics } from "../../types.js" */
import { html } from "htm/preact";
import { count } from "../../format.js";
import { barLabel, barsOf } from "../../charts/histogram.js";

const WIDTH = 480;
const HEIGHT = 120;
const LEAST = 2; // px, so that a single example can be seen

/** How long the examples are, and where they are cut. @param {{ tokens: Statistics["tokens"] }} props */
export function Histogram({ tokens }) {
  const { bars, mark, from, to } = barsOf(tokens.histogram, tokens.max_length);
  return html`
    <figure class="histogram">
      <figcaption>Examples by length in tokens</figcaption>
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="list" aria-label="Examples by length in tokens">
        ${bars.map((bar) => {
          const height = bar.count ? Math.max(LEAST, bar.height * HEIGHT) : 0;
          return html`
            <g key=${bar.start} role="listitem" aria-label=${barLabel(bar)}>
              <title>${barLabel(bar)}</title>
              <rect class="bar-area" x=${bar.left * WIDTH} y="0" width=${bar.width * WIDTH} height=${HEIGHT} />
              <rect
                class=${bar.beyond ? "bar bar-beyond" : "bar"}
                x=${bar.left * WIDTH}
                y=${HEIGHT - height}
                width=${Math.max(1, bar.width * WIDTH - 1)}
                height=${height}
              />
            </g>
          `;
        })}
        ${mark !== null && html`<line class="limit" x1=${mark * WIDTH} x2=${mark * WIDTH} y1="0" y2=${HEIGHT} />`}
      </svg>
      <div class="histogram-axis muted"><span>${count(from)}</span><span>${count(to - 1)} tokens</span></div>
      <p class="muted">
        ${mark === null
          ? `All are within the max length of ${count(tokens.max_length)} tokens.`
          : `The dashed line is the max length, ${count(tokens.max_length)} tokens; what is beyond is cut off.`}
      </p>
    </figure>
  `;
}
