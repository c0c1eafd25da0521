/** @import { Plot } from "../../stores/learn/figures.js" */
import { html } from "htm/preact";
import { number } from "../../format.js";

const WIDTH = 560;
const HEIGHT = 280;
const MARGIN = { left: 44, right: 12, top: 10, bottom: 42 };

/** Lines, dots and arrows between two axes, as SVG. @param {{ plot: Plot & { says: string }, title: string }} props */
export function PlotView({ plot, title }) {
  const { x, y, axes, lines } = plot;
  const named = lines.filter(({ name }) => name);
  const height = plot.square ? MARGIN.top + MARGIN.bottom + ((y[1] - y[0]) / (x[1] - x[0])) * (WIDTH - MARGIN.left - MARGIN.right) : HEIGHT;
  const px = (/** @type {number} */ at) => MARGIN.left + ((at - x[0]) / (x[1] - x[0])) * (WIDTH - MARGIN.left - MARGIN.right);
  const py = (/** @type {number} */ at) => height - MARGIN.bottom - ((at - y[0]) / (y[1] - y[0])) * (height - MARGIN.top - MARGIN.bottom);
  const inside = (/** @type {[number, number]} */ [a, b]) => a >= x[0] && a <= x[1] && b >= y[0] && b <= y[1];
  const path = (/** @type {[number, number][]} */ points) => `M${points.map(([a, b]) => `${px(a).toFixed(1)} ${py(b).toFixed(1)}`).join("L")}`;
  return html`
    <svg class="toy-plot" viewBox=${`0 0 ${WIDTH} ${height}`} role="img" aria-label=${`${title}. ${plot.says}`}>
      <defs>
        <clipPath id="toy-inside"><rect x=${MARGIN.left} y="0" width=${WIDTH - MARGIN.left} height=${height - MARGIN.bottom + 1} /></clipPath>
        ${["train", "validation"].map(
          (tone) => html`
            <marker key=${tone} id=${`toy-arrow-${tone}`} data-tone=${tone} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">
              <path d="M0 0 8 4 0 8z" />
            </marker>
          `,
        )}
      </defs>
      <path class="toy-axis" d=${`M${MARGIN.left} ${MARGIN.top}V${height - MARGIN.bottom}H${WIDTH - MARGIN.right}`} />
      <g class="toy-ticks">
        ${ticks(x).map((at) => html`<text key=${`x${at}`} x=${px(at)} y=${height - MARGIN.bottom + 14} text-anchor="middle">${number(at)}</text>`)}
        ${ticks(y).map((at) => html`<text key=${`y${at}`} x=${MARGIN.left - 6} y=${py(at) + 4} text-anchor="end">${number(at)}</text>`)}
        <text x=${WIDTH - MARGIN.right} y=${height - 4} text-anchor="end">${axes[0]}</text>
        <text x=${MARGIN.left + 6} y=${MARGIN.top + 8}>${axes[1]}</text>
      </g>
      <g clip-path="url(#toy-inside)">
        ${lines.map(
          ({ points, tone, mark }, i) => html`
            <g key=${i} data-tone=${tone}>
              ${mark !== "dots" && html`<path class="toy-line" d=${path(points)} marker-end=${mark === "arrow" ? `url(#toy-arrow-${tone})` : undefined} />`}
              ${(mark === "dots" || mark === "steps") &&
              points.filter(inside).map(([a, b], k) => html`<circle key=${k} class="toy-dot" cx=${px(a)} cy=${py(b)} r="4" />`)}
            </g>
          `,
        )}
      </g>
    </svg>
    ${named.length > 0 &&
    html`<ul class="toy-key">${named.map(({ name, tone }) => html`<li key=${name} data-tone=${tone}>${name}</li>`)}</ul>`}
  `;
}

/** Round numbers along an axis, four or so. @param {[number, number]} range @returns {number[]} */
function ticks([from, to]) {
  const rough = (to - from) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.floor((to - first) / step + 1e-9) + 1 }, (_, i) => Number((first + i * step).toPrecision(6)));
}
