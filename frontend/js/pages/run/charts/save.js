/**
 * A chart as a file: a picture as it stands on the page, or the numbers that it shows.
 *
 * @import { Scene } from "./scene.js"
 * @import { Figure } from "./figures.js"
 */
import { csvOf } from "./csv.js";

const MARGIN = 16;
const TITLE_SIZE = 16;
const NOTE_SIZE = 12;
const HEAD = 52;

/**
 * @param {HTMLCanvasElement} chart
 * @param {{ title: string, note: string, name: string }} words name: of the file, without its ending
 */
export function savePicture(chart, { title, note, name }) {
  const style = getComputedStyle(/** @type {HTMLElement} */ (chart.parentElement));
  const scale = chart.width / chart.clientWidth;
  const picture = document.createElement("canvas");
  picture.width = chart.width + 2 * MARGIN * scale;
  picture.height = chart.height + (HEAD + MARGIN) * scale;
  const ctx = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
  ctx.fillStyle = style.getPropertyValue("--surface");
  ctx.fillRect(0, 0, picture.width, picture.height);
  ctx.drawImage(chart, MARGIN * scale, HEAD * scale);
  ctx.scale(scale, scale);
  ctx.fillStyle = style.getPropertyValue("--text");
  ctx.font = `600 ${TITLE_SIZE}px ${style.fontFamily}`;
  ctx.fillText(title, MARGIN, MARGIN + TITLE_SIZE - 3);
  ctx.fillStyle = style.getPropertyValue("--text-muted");
  ctx.font = `${NOTE_SIZE}px ${style.fontFamily}`;
  ctx.fillText(note, MARGIN, MARGIN + TITLE_SIZE + NOTE_SIZE + 4);
  picture.toBlob((blob) => blob && download(blob, `${name}.png`), "image/png");
}

/** @param {Figure} figure @param {Scene} scene @param {string} name of the file, without its ending */
export function saveNumbers(figure, scene, name) {
  download(new Blob([csvOf(figure, scene.shown.peek(), scene.xs.peek(), scene.window.peek())], { type: "text/csv" }), `${name}.csv`);
}

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000); // the browser still reads it after the click
}
