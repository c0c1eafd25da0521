/**
 * What one head of one layer looks at: a square, a row for each token that looks, a column for each it looks at.
 *
 * @import { Attention, LookedAtToken, MicroscopeStep } from "../../types.js"
 * @import { Choice } from "../../stores/microscope/choice.js"
 * @import { Painting, Sizes } from "./attention-draw.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { followFrame } from "../../charts/plot-frame.js";
import { count } from "../../format.js";
import { visible } from "../../stores/data/token-text.js";
import { strongest } from "../../stores/microscope/reading.js";
import { paint, placeAt, show } from "./attention-draw.js";

const MOST_NAMED = 5;

/** @param {{ step: MicroscopeStep, choice: Choice, choose: (change: Partial<Choice>) => void }} props */
export function AttentionCard({ step: { attention, tokens }, choice, choose }) {
  if (!attention) {
    return html`
      <div>
        <h3>Attention</h3>
        <p class="muted">This model has no attention: it carries what it has read along in a state, token by token.</p>
      </div>
    `;
  }
  return html`
    <div class="attention">
      <h3>Where it looks</h3>
      <div class="attention-picks">
        <${Pick} label="Layer" most=${attention.layers} value=${choice.layer} onChange=${(/** @type {number} */ layer) => choose({ layer })} />
        <${Pick} label="Head" most=${attention.heads} value=${choice.head} onChange=${(/** @type {number} */ head) => choose({ head })} />
      </div>
      <p class="muted">
        Each row is a token that looks, each column one that it looks at; a row's weights add up to 1, and the stronger the
        colour, the more. Many heads rest on the first token when they find nothing to look for.
      </p>
      <${Square} attention=${attention} tokens=${tokens} />
    </div>
  `;
}

/** @param {{ label: string, most: number, value: number, onChange: (value: number) => void }} props */
function Pick({ label, most, value, onChange }) {
  return html`
    <label>
      ${label}
      <select value=${value} onChange=${(/** @type {Event} */ event) => onChange(Number(/** @type {HTMLSelectElement} */ (event.target).value))}>
        ${Array.from({ length: most }, (_, number) => html`<option key=${number} value=${number}>${number}</option>`)}
      </select>
    </label>
  `;
}

/** @param {{ attention: Attention, tokens: LookedAtToken[] }} props */
function Square({ attention: { weights, layer, head }, tokens }) {
  const last = weights.length - 1;
  const at = useSignal({ row: last, column: strongest(weights[last], 1)[0][0] });
  const painting = useSignal(/** @type {Painting | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const texts = useMemo(() => tokens.slice(0, weights.length).map(({ text }) => visible(text)), [tokens]);
  const row = Math.min(at.value.row, last);
  const column = Math.min(at.value.column, row);

  useEffect(() => {
    const own = /** @type {HTMLElement} */ (box.current);
    const repaint = () => (painting.value = paint(/** @type {HTMLCanvasElement} */ (canvas.current), own.clientWidth, weights));
    // It is also called at once. The box itself grows by what is painted.
    return followFrame(/** @type {HTMLElement} */ (own.parentElement), repaint, repaint);
  }, [weights]);
  useEffect(() => {
    if (painting.value && canvas.current) show(canvas.current, painting.value, texts, { row, column });
  }, [painting.value, texts, row, column]);

  const point = (/** @type {MouseEvent} */ event) => {
    const place = painting.value && placeAt(event.offsetX, event.offsetY, painting.value.sizes, weights.length);
    if (place && (place.row !== row || place.column !== column)) at.value = place;
  };
  const move = (/** @type {KeyboardEvent} */ event) => {
    const next = moved(event.key, row, column, last);
    if (!next) return;
    event.preventDefault();
    at.value = next;
    if (painting.value && box.current) scrollTo(box.current, painting.value.sizes, next.column);
  };
  return html`
    <div class="attention-readout" role="status">
      <p>
        <bdi class="token-text" dir="auto">${texts[row]}</bdi> <small class="muted">${count(row + 1)}</small> looks at
        ${" "}<bdi class="token-text" dir="auto">${texts[column]}</bdi> <small class="muted">${count(column + 1)}</small>
        ${" "}with weight <strong>${weights[row][column].toFixed(3)}</strong>
      </p>
      <p class="muted">
        It looks most at: ${strongest(weights[row], MOST_NAMED).map(
          ([place, weight], number) =>
            html`${number > 0 ? ", " : ""}<bdi class="token-text" dir="auto">${texts[place]}</bdi> <small>${count(place + 1)}</small> ${weight.toFixed(3)}`,
        )}
      </p>
    </div>
    <div
      ref=${box}
      class="attention-square"
      role="application"
      tabindex="0"
      aria-label=${`Attention of layer ${layer}, head ${head}. Up and down choose who looks, left and right at whom.`}
      onKeyDown=${move}
    >
      <canvas ref=${canvas} aria-hidden="true" onMouseMove=${point} onClick=${point}></canvas>
    </div>
  `;
}

/** Brings a column into sight. @param {HTMLElement} box @param {Sizes} sizes @param {number} column */
function scrollTo(box, { margin, cell }, column) {
  const left = margin + column * cell;
  const right = left + cell;
  if (left < box.scrollLeft + margin) box.scrollLeft = left - margin;
  else if (right > box.scrollLeft + box.clientWidth) box.scrollLeft = right - box.clientWidth;
}

/** @param {string} key @param {number} row @param {number} column @param {number} last */
function moved(key, row, column, last) {
  if (key === "ArrowDown") return { row: Math.min(last, row + 1), column };
  if (key === "ArrowUp") return { row: Math.max(0, row - 1), column: Math.min(column, Math.max(0, row - 1)) };
  if (key === "ArrowRight") return { row, column: Math.min(row, column + 1) };
  if (key === "ArrowLeft") return { row, column: Math.max(0, column - 1) };
  if (key === "Home") return { row, column: 0 };
  if (key === "End") return { row, column: row };
  return null;
}
