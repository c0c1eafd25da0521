/** Learning by heart, on the smallest scale: a curve through ten points. Pure. @import { Toy } from "../figures.js" */
import { number } from "../../../format.js";
import { randomOf } from "./noise.js";
import { curve } from "./rates.js";

const random = randomOf(48);
const points = (/** @type {number} */ shift) =>
  Array.from({ length: 10 }, (_, i) => /** @type {[number, number]} */ (at(-0.95 + (1.9 * (i + shift)) / 10)));
/** @param {number} x */
const at = (x) => [x, Math.sin(2.6 * x) + 0.9 * (random() - 0.5)];
const SEEN = points(0.25);
const UNSEEN = points(0.75);

/** Chebyshev polynomials, which stay apart where powers of x look alike. @param {number} x @param {number} degree @returns {number[]} */
function basis(x, degree) {
  const values = [1, x];
  while (values.length <= degree) values.push(2 * x * values[values.length - 1] - values[values.length - 2]);
  return values.slice(0, degree + 1);
}

/**
 * Least squares by the normal equations.
 *
 * @param {[number, number][]} data
 * @param {number} degree
 * @returns {(x: number) => number}
 */
export function fitted(data, degree) {
  const rows = data.map(([x, y]) => ({ terms: basis(x, degree), y }));
  const matrix = Array.from({ length: degree + 1 }, (_, i) => [
    ...Array.from({ length: degree + 1 }, (_, j) => rows.reduce((sum, { terms }) => sum + terms[i] * terms[j], 0)),
    rows.reduce((sum, { terms, y }) => sum + terms[i] * y, 0),
  ]);
  const weights = solved(matrix);
  return (x) => basis(x, degree).reduce((sum, term, i) => sum + term * weights[i], 0);
}

/** Gauss' elimination with pivots. @param {number[][]} matrix with the right side as its last column @returns {number[]} */
function solved(matrix) {
  const size = matrix.length;
  for (let i = 0; i < size; i++) {
    const pivot = matrix.slice(i).reduce((best, row, k) => (Math.abs(row[i]) > Math.abs(matrix[best][i]) ? i + k : best), i);
    [matrix[i], matrix[pivot]] = [matrix[pivot], matrix[i]];
    for (let k = 0; k < size; k++) {
      if (k === i) continue;
      const factor = matrix[k][i] / matrix[i][i];
      matrix[k] = matrix[k].map((value, j) => value - factor * matrix[i][j]);
    }
  }
  return matrix.map((row, i) => row[size] / row[i]);
}

/** @param {(x: number) => number} curve @param {[number, number][]} data @returns {number} mean squared error */
export const errorOf = (curve, data) => data.reduce((sum, [x, y]) => sum + (curve(x) - y) ** 2, 0) / data.length;

/** @param {number} degree @returns {{ seen: number, unseen: number }} the errors */
export function errorsAt(degree) {
  const line = fitted(SEEN, degree);
  return { seen: errorOf(line, SEEN), unseen: errorOf(line, UNSEEN) };
}

/** @type {Record<string, Toy>} */
export const FIT = {
  fit: {
    title: "A curve learns ten points",
    controls: [{ id: "degree", label: "How freely it may bend", min: 0, max: 9, step: 1, value: 3 }],
    view: ({ degree }) => {
      const line = fitted(SEEN, degree);
      const { seen, unseen } = errorsAt(degree);
      const best = Array.from({ length: 10 }, (_, i) => errorsAt(i).unseen);
      const lowest = best.indexOf(Math.min(...best));
      const verdict = degree < lowest ? "It is too stiff for what the points have in common." : degree === lowest ? "Here it does best on new points." : "It begins to learn the points by heart.";
      return {
        kind: "plot",
        x: [-1, 1],
        y: [-2, 2],
        axes: ["what it is given", "what it should say"],
        lines: [
          { points: curve(-0.95, 0.95, line), tone: "faint" },
          { points: SEEN, tone: "train", mark: "dots", name: "points it learns" },
          { points: UNSEEN, tone: "validation", mark: "dots", name: "points kept aside" },
        ],
        says: `Error on the points it learns ${number(seen)}, on those kept aside ${number(unseen)}. ${verdict}`,
      };
    },
  },
};
