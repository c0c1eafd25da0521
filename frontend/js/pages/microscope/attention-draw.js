/**
 * How attention is put on a canvas.
 *
 * @typedef {{ cell: number, margin: number }} Sizes in CSS pixels; margin: what names take at the left and on top, 0 where there is no room for them
 */

const LARGEST_CELL = 24;
const SMALLEST_CELL = 3;
const NAMED_FROM = 11;
const MARGIN = 92;
const MOST_LETTERS = 12;

/** @param {number} count of tokens @param {number} width there is @returns {Sizes} */
export function sizesFor(count, width) {
  const named = Math.floor((width - MARGIN) / count);
  if (named >= NAMED_FROM) return { cell: Math.min(LARGEST_CELL, named), margin: MARGIN };
  return { cell: Math.max(SMALLEST_CELL, Math.min(LARGEST_CELL, Math.floor(width / count))), margin: 0 };
}

/** @param {number} x @param {number} y on the canvas @param {Sizes} sizes @param {number} count @returns {{ row: number, column: number } | null} */
export function placeAt(x, y, { cell, margin }, count) {
  const [row, column] = [Math.floor((y - margin) / cell), Math.floor((x - margin) / cell)];
  return row >= 0 && row < count && column >= 0 && column <= row ? { row, column } : null;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} width there is
 * @param {number[][]} weights
 * @param {string[]} texts of the tokens
 * @param {{ row: number, column: number }} at
 */
export function drawAttention(canvas, width, weights, texts, at) {
  const sizes = sizesFor(weights.length, width);
  const side = sizes.margin + sizes.cell * weights.length;
  const ratio = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [side * ratio, side * ratio];
  [canvas.style.width, canvas.style.height] = [`${side}px`, `${side}px`];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const style = getComputedStyle(canvas);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  context.scale(ratio, ratio);
  drawCells(context, sizes, weights, colour);
  if (sizes.margin) drawNames(context, sizes, texts.slice(0, weights.length), at, style.fontFamily, colour);
  context.strokeStyle = colour("--text");
  context.lineWidth = 2;
  context.strokeRect(sizes.margin + at.column * sizes.cell, sizes.margin + at.row * sizes.cell, sizes.cell, sizes.cell);
}

/** @param {CanvasRenderingContext2D} context @param {Sizes} sizes @param {number[][]} weights @param {(name: string) => string} colour */
function drawCells(context, { cell, margin }, weights, colour) {
  const gap = cell >= 8 ? 1 : 0;
  weights.forEach((row, i) =>
    row.forEach((weight, j) => {
      const [x, y] = [margin + j * cell, margin + i * cell];
      context.globalAlpha = 1;
      context.fillStyle = colour("--sunken");
      context.fillRect(x, y, cell - gap, cell - gap);
      context.globalAlpha = Math.sqrt(Math.min(1, weight)); // small weights are to be seen, too
      context.fillStyle = colour("--chart-train");
      context.fillRect(x, y, cell - gap, cell - gap);
    }),
  );
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Sizes} sizes
 * @param {string[]} texts
 * @param {{ row: number, column: number }} at
 * @param {string} family
 * @param {(name: string) => string} colour
 */
function drawNames(context, { cell, margin }, texts, at, family, colour) {
  context.textBaseline = "middle";
  texts.forEach((text, place) => {
    const name = text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text;
    const middle = margin + place * cell + cell / 2;
    const style = (/** @type {boolean} */ active) => {
      context.font = `${active ? "600 " : ""}11px ${family}`;
      context.fillStyle = colour(active ? "--text" : "--text-muted");
    };
    style(place === at.row);
    context.textAlign = "right";
    context.fillText(name, margin - 6, middle);
    style(place === at.column);
    context.save();
    context.translate(middle, margin - 6);
    context.rotate(-Math.PI / 2);
    context.textAlign = "left";
    context.fillText(name, 0, 0);
    context.restore();
  });
}
