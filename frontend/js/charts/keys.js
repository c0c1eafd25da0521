/**
 * A chart by keys: arrows move the cursor, Enter pins it, plus and minus zoom around it, 0 and Escape show the whole again.
 *
 * @import { Actions } from "./chart.js"
 */

export const KEYS_HELP = "Arrow keys move the cursor, Enter pins it, plus and minus zoom, 0 or Escape shows all.";

const NEARER = 0.5;
const FAR_STRIDE = 10;

/**
 * @param {KeyboardEvent} event
 * @param {uPlot} plot
 * @param {Actions} actions
 * @returns {boolean} whether the key meant something
 */
export function onChartKey(event, plot, { onCursor, onZoom, onReset, onPin }) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const stride = event.shiftKey ? FAR_STRIDE : 1;
  const { idx } = plot.cursor;
  switch (event.key) {
    case "ArrowLeft":
      move(plot, -1, stride, onCursor);
      return true;
    case "ArrowRight":
      move(plot, 1, stride, onCursor);
      return true;
    case "+":
    case "=":
    case "-":
      onZoom(event.key === "-" ? 1 / NEARER : NEARER, idx == null ? null : plot.data[0][idx]);
      return true;
    case "Enter":
      if (idx != null) onPin(idx);
      return idx != null;
    case "0":
    case "Escape":
      onReset();
      return true;
    default:
      return false;
  }
}

/**
 * To the next row in sight that has a value in any line of this chart.
 *
 * @param {uPlot} plot
 * @param {1 | -1} direction
 * @param {number} stride rows
 * @param {(index: number | null) => void} onCursor
 */
function move(plot, direction, stride, onCursor) {
  const [first, last] = inSight(plot);
  const filled = (/** @type {number} */ row) => plot.data.some((column, line) => line > 0 && column[row] != null);
  let row = plot.cursor.idx ?? (direction > 0 ? first - 1 : last + 1);
  for (let left = stride; left > 0; left -= 1) {
    let next = row + direction;
    while (next >= first && next <= last && !filled(next)) next += direction;
    if (next < first || next > last) break;
    row = next;
  }
  if (row < first || row > last) return;
  moveCursor(plot, plot.valToPos(plot.data[0][row], "x"));
  onCursor(row);
}

/** @param {uPlot} plot and those in step with it @param {number} left in CSS pixels; below 0 takes the cursor away */
export function moveCursor(plot, left) {
  // The third argument, which has the others follow, is not in uPlot's types.
  /** @type {any} */ (plot).setCursor({ left, top: Math.min(left, 0) }, true, true);
}

/** @param {uPlot} plot @returns {[first: number, last: number]} rows */
function inSight({ data: [x], scales }) {
  const { min = 0, max = 0 } = scales.x;
  let first = 0;
  let last = x.length - 1;
  while (first <= last && x[first] < min) first += 1;
  while (last >= first && x[last] > max) last -= 1;
  return [first, last];
}
