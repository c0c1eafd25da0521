/**
 * How attention is put on a canvas.
 *
 * @typedef {{ cell: number, margin: number, side: number }} Sizes in CSS pixels; margin: what names take at the left and on top
 * @typedef {{ row: number, column: number }} Place
 * @typedef {{ cells: HTMLCanvasElement, sizes: Sizes }} Painting the square without what is marked in it
 */
import { themeOf } from "../../charts/plot-frame.js";

const WIDEST = 900;
const NARROW = 480;
const LARGEST_CELL = 24;
const SMALLEST_CELL = 3;
const ALL_NAMED_FROM = 10;
const LETTER = 7;

/** @param {number} count of tokens @param {number} width there is @returns {Sizes} */
export function sizesFor(count, width) {
  const margin = width < NARROW ? 58 : 92;
  const cell = Math.max(SMALLEST_CELL, Math.min(LARGEST_CELL, Math.floor((Math.min(width, WIDEST) - margin) / count)));
  return { cell, margin, side: margin + cell * count };
}

/** @param {number} x @param {number} y on the canvas @param {Sizes} sizes @param {number} count @returns {Place | null} */
export function placeAt(x, y, { cell, margin }, count) {
  const [row, column] = [Math.floor((y - margin) / cell), Math.floor((x - margin) / cell)];
  return row >= 0 && row < count && column >= 0 && column <= row ? { row, column } : null;
}

/** @param {HTMLCanvasElement} like whose colours it has @param {number} width there is @param {number[][]} weights @returns {Painting} */
export function paint(like, width, weights) {
  const sizes = sizesFor(weights.length, width);
  const { cell, margin } = sizes;
  const cells = document.createElement("canvas");
  const context = scaled(cells, sizes.side);
  const { color: colour } = themeOf(like);
  const [ground, ink] = [colour("--sunken"), colour("--chart-train")];
  const gap = cell >= 8 ? 1 : 0;
  weights.forEach((row, i) =>
    row.forEach((weight, j) => {
      const [x, y] = [margin + j * cell, margin + i * cell];
      context.globalAlpha = 1;
      context.fillStyle = ground;
      context.fillRect(x, y, cell - gap, cell - gap);
      context.globalAlpha = Math.sqrt(Math.min(1, weight)); // small weights are to be seen, too
      context.fillStyle = ink;
      context.fillRect(x, y, cell - gap, cell - gap);
    }),
  );
  return { cells, sizes };
}

/** @param {HTMLCanvasElement} canvas @param {Painting} painting @param {string[]} texts of the tokens @param {Place} at */
export function show(canvas, { cells, sizes }, texts, at) {
  const { cell, margin, side } = sizes;
  const context = scaled(canvas, side);
  const { color: colour } = themeOf(canvas);
  context.drawImage(cells, 0, 0, side, side);
  drawNames(context, sizes, texts, at, getComputedStyle(canvas).fontFamily, colour);
  context.strokeStyle = colour("--text");
  context.lineWidth = 2;
  context.strokeRect(margin + at.column * cell, margin + at.row * cell, cell, cell);
}

/**
 * Of all tokens where there is room, else of the two that are marked.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Sizes} sizes
 * @param {string[]} texts
 * @param {Place} at
 * @param {string} family
 * @param {(name: string) => string} colour
 */
function drawNames(context, { cell, margin }, texts, at, family, colour) {
  const letters = Math.floor((margin - 6) / LETTER);
  const all = cell >= ALL_NAMED_FROM;
  context.textBaseline = "middle";
  texts.forEach((text, place) => {
    const name = text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
    const middle = margin + place * cell + cell / 2;
    const style = (/** @type {boolean} */ active) => {
      context.font = `${active ? "600 " : ""}11px ${family}`;
      context.fillStyle = colour(active ? "--text" : "--text-muted");
      return all || active;
    };
    context.textAlign = "right";
    if (style(place === at.row)) context.fillText(name, margin - 6, middle);
    context.textAlign = "left";
    if (!style(place === at.column)) return;
    context.save();
    context.translate(middle, margin - 6);
    context.rotate(-Math.PI / 2);
    context.fillText(name, 0, 0);
    context.restore();
  });
}

/** @param {HTMLCanvasElement} canvas @param {number} side in CSS pixels @returns {CanvasRenderingContext2D} which counts in these */
function scaled(canvas, side) {
  const ratio = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [side * ratio, side * ratio];
  [canvas.style.width, canvas.style.height] = [`${side}px`, `${side}px`];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(ratio, ratio);
  return context;
}
