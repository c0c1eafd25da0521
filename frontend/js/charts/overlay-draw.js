/**
 * How an overlay chart puts its lines on a canvas, and which part of the plane it shows.
 *
 * @typedef {object} Item a line, or the mean of several with the band between their lowest and highest
 * @property {string} key
 * @property {number[]} x
 * @property {(number | null)[]} y
 * @property {(number | null)[]} [low]
 * @property {(number | null)[]} [high]
 * @property {number} look which colour and dash
 *
 * @typedef {{ x: [number, number], y: [number, number], log: boolean }} View
 */

export const COLOURS = 10;
const DASHES = [[], [7, 3], [2, 3], [10, 3, 2, 3], [14, 4]];
const AIR = 0.06;
const HEADROOM = 1.25;

/** @param {number} look @returns {number[]} line and gap lengths in CSS pixels; empty for a whole line */
export const dashOf = (look) => DASHES[Math.floor(look / COLOURS) % DASHES.length];

/**
 * @param {Item[]} items
 * @param {boolean} log
 * @returns {{ x: [number, number], y: [number, number] } | null} the smallest box around all that can be drawn
 */
export function extentOf(items, log) {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const item of items) {
    for (const column of [item.low ?? item.y, item.high ?? item.y]) {
      for (let i = 0; i < column.length; i += 1) {
        const value = column[i];
        if (value === null || (log && value <= 0)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
        if (item.x[i] < left) left = item.x[i];
        if (item.x[i] > right) right = item.x[i];
      }
    }
  }
  return low <= high ? { x: [left, right], y: [low, high] } : null;
}

/**
 * The view for an extent. One that still fits is kept, so that lines that grow seldom move those that do not.
 *
 * @param {View | null} current
 * @param {ReturnType<typeof extentOf>} extent
 * @param {boolean} log
 * @param {boolean} growing whether more is to come on the right
 * @returns {View}
 */
export function viewOf(current, extent, log, growing) {
  if (!extent) return { x: [0, 1], y: log ? [0.1, 1] : [0, 1], log };
  const scale = log ? Math.log10 : (/** @type {number} */ value) => value;
  const [low, high] = extent.y.map(scale);
  const fits =
    current?.log === log &&
    extent.x[1] <= current.x[1] && (growing || extent.x[1] === current.x[1]) && extent.x[1] > current.x[1] / 2 &&
    low >= scale(current.y[0]) && high <= scale(current.y[1]) &&
    high - low > (scale(current.y[1]) - scale(current.y[0])) * 0.6; // prettier-ignore
  if (fits) return current;
  const air = (high - low) * AIR || Math.abs(high) * AIR || 0.5;
  const [bottom, top] = [low - air, high + air];
  return {
    x: [0, (extent.x[1] || 1) * (growing ? HEADROOM : 1)],
    y: log ? [10 ** bottom, 10 ** top] : [extent.y[0] >= 0 ? Math.max(0, bottom) : bottom, top],
    log,
  };
}

/**
 * @param {CanvasRenderingContext2D} context whose origin is the plot's upper left corner
 * @param {{ width: number, height: number, ratio: number }} size of the plot in canvas pixels, and how many make a CSS pixel
 * @param {View} view
 * @param {Item[]} items
 * @param {(look: number) => string} colour
 */
export function drawItems(context, size, view, items, colour) {
  const scale = view.log ? Math.log10 : (/** @type {number} */ value) => value;
  const [bottom, top] = view.y.map(scale);
  const toX = (/** @type {number} */ x) => ((x - view.x[0]) / (view.x[1] - view.x[0])) * size.width;
  const toY = (/** @type {number} */ y) => ((top - scale(y)) / (top - bottom)) * size.height;
  context.save();
  context.beginPath();
  context.rect(0, 0, size.width, size.height);
  context.clip();
  context.lineJoin = "round";
  for (const item of items) {
    context.strokeStyle = context.fillStyle = colour(item.look);
    context.setLineDash(dashOf(item.look).map((length) => length * size.ratio));
    if (item.low && item.high) fillBand(context, item, toX, toY, view.log);
    context.lineWidth = (item.low ? 2.5 : 1.5) * size.ratio;
    strokeLine(context, item, toX, toY, view.log);
    markGaps(context, item, toX, size);
  }
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Item} item
 * @param {(x: number) => number} toX
 * @param {(y: number) => number} toY
 * @param {boolean} log where nothing up to zero can be shown
 */
function strokeLine(context, { x, y }, toX, toY, log) {
  let pen = false;
  context.beginPath();
  for (let i = 0; i < x.length; i += 1) {
    const value = y[i];
    if (value === null || (log && value <= 0)) {
      pen = false;
      continue;
    }
    if (pen) context.lineTo(toX(x[i]), toY(value));
    else context.moveTo(toX(x[i]), toY(value));
    pen = true;
  }
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {Item} item @param {(x: number) => number} toX @param {(y: number) => number} toY @param {boolean} log */
function fillBand(context, { x, low = [], high = [] }, toX, toY, log) {
  const shown = x.map((_, i) => i).filter((i) => low[i] !== null && (!log || /** @type {number} */ (low[i]) > 0));
  context.beginPath();
  for (const i of shown) context.lineTo(toX(x[i]), toY(/** @type {number} */ (high[i])));
  for (const i of shown.reverse()) context.lineTo(toX(x[i]), toY(/** @type {number} */ (low[i])));
  context.globalAlpha = 0.18;
  context.fill();
  context.globalAlpha = 1;
}

/** A cross at the foot of the chart for each value that was not a number. @param {CanvasRenderingContext2D} context @param {Item} item @param {(x: number) => number} toX @param {{ height: number, ratio: number }} size */
function markGaps(context, { x, y }, toX, { height, ratio }) {
  const arm = 3 * ratio;
  context.setLineDash([]);
  context.beginPath();
  for (let i = 0; i < x.length; i += 1) {
    if (y[i] !== null) continue;
    const [left, foot] = [toX(x[i]), height - 2 * arm];
    context.moveTo(left - arm, foot - arm);
    context.lineTo(left + arm, foot + arm);
    context.moveTo(left - arm, foot + arm);
    context.lineTo(left + arm, foot - arm);
  }
  context.stroke();
}
