/**
 * A heat map on a canvas: rows of cells in one colour, from pale to strong, and a reading of the cell that is pointed at or
 * reached with the arrow keys.
 *
 * @typedef {object} Grid
 * @property {string[]} parts the rows' names
 * @property {number[]} x
 * @property {(number | null)[][]} values
 */
import { useComputed, useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { followFrame, themeOf } from "./plot-frame.js";

const ROW_HEIGHT = 18;
const MOST_HEIGHT = 400;
const LEAST_FOR_NAME = 12; // pixels that a row's name takes
const GAP = 1;
const LEAST_SHADE = 0.06; // so that the palest cell is told from one that was not measured

/**
 * @param {object} props
 * @param {Grid} props.grid
 * @param {(row: number, column: number) => number | null} props.shade from 0 to 1; null where there is nothing
 * @param {(row: number, column: number) => string} props.say what a cell says
 * @param {string} props.label
 */
export function HeatMap({ grid, shade, say, label }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const cell = useSignal(/** @type {{ row: number, column: number } | null} */ (null));
  const [rows, columns] = [grid.parts.length, grid.x.length];
  const height = Math.max(4, Math.min(ROW_HEIGHT, Math.floor(MOST_HEIGHT / rows)));
  const every = Math.ceil(LEAST_FOR_NAME / height);

  useEffect(() => {
    const host = /** @type {HTMLCanvasElement} */ (canvas.current);
    const redraw = () => draw(host, rows, columns, shade, cell.value);
    const stop = followFrame(host, redraw, redraw);
    const unsubscribe = cell.subscribe(redraw);
    return () => {
      stop();
      unsubscribe();
    };
  }, [grid, shade]);

  const point = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {HTMLCanvasElement} */ (canvas.current).getBoundingClientRect();
    const place = (/** @type {number} */ at, /** @type {number} */ size, /** @type {number} */ count) =>
      Math.min(count - 1, Math.max(0, Math.floor((at / size) * count)));
    cell.value = {
      row: place(event.clientY - box.top, box.height, rows),
      column: place(event.clientX - box.left, box.width, columns),
    };
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const moved = movedBy(event.key, cell.value ?? { row: 0, column: columns - 1 }, rows, columns);
    if (!moved) return;
    event.preventDefault();
    cell.value = moved;
  };
  const said = useComputed(() => cell.value && cell.value.row < rows && cell.value.column < columns ? cell.value : null).value;
  return html`
    <div class="layers-map">
      <ol class="layers-parts" aria-hidden="true" style=${`--row: ${height}px`}>
        ${grid.parts.map((part, row) => html`<li key=${part}>${row % every === 0 && part}</li>`)}
      </ol>
      <canvas
        ref=${canvas}
        style=${`height: ${rows * height}px`}
        role="img"
        aria-label=${`${label}. The arrow keys read single cells; a table is below.`}
        tabindex="0"
        onPointerMove=${point}
        onPointerDown=${point}
        onPointerLeave=${() => (cell.value = null)}
        onKeyDown=${press}
      ></canvas>
      <p class="layers-said" aria-live="polite">${said ? say(said.row, said.column) : "Point at a cell to read it."}</p>
    </div>
  `;
}

/**
 * @param {string} key
 * @param {{ row: number, column: number }} cell
 * @param {number} rows
 * @param {number} columns
 * @returns {{ row: number, column: number } | null} null: the key means nothing here
 */
export function movedBy(key, { row, column }, rows, columns) {
  const to = (/** @type {number} */ newRow, /** @type {number} */ newColumn) => ({
    row: Math.min(rows - 1, Math.max(0, newRow)),
    column: Math.min(columns - 1, Math.max(0, newColumn)),
  });
  if (key === "ArrowUp") return to(row - 1, column);
  if (key === "ArrowDown") return to(row + 1, column);
  if (key === "ArrowLeft") return to(row, column - 1);
  if (key === "ArrowRight") return to(row, column + 1);
  if (key === "Home") return to(row, 0);
  return key === "End" ? to(row, columns - 1) : null;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} rows
 * @param {number} columns
 * @param {(row: number, column: number) => number | null} shade
 * @param {{ row: number, column: number } | null} chosen
 */
function draw(canvas, rows, columns, shade, chosen) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const { color } = themeOf(canvas);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const ratio = devicePixelRatio;
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  context.scale(ratio, ratio);
  context.fillStyle = color("--surface");
  context.fillRect(0, 0, width, height);
  const edge = (/** @type {number} */ column) => Math.round((column * width * ratio) / columns) / ratio;
  context.fillStyle = color("--heat");
  for (let row = 0; row < rows; row += 1) {
    const top = (row * height) / rows;
    for (let column = 0; column < columns; column += 1) {
      const strength = shade(row, column);
      if (strength === null) continue;
      context.globalAlpha = LEAST_SHADE + (1 - LEAST_SHADE) * strength;
      context.fillRect(edge(column), top, edge(column + 1) - edge(column), height / rows - GAP);
    }
  }
  context.globalAlpha = 1;
  if (!chosen || chosen.row >= rows || chosen.column >= columns) return;
  context.strokeStyle = color("--text");
  context.lineWidth = 2;
  const [left, right] = [edge(chosen.column), edge(chosen.column + 1)];
  context.strokeRect(left, (chosen.row * height) / rows, Math.max(3, right - left), height / rows - GAP);
}
