import { html } from "htm/preact";

const WIDTH = 120;
const HEIGHT = 32;

/** @param {{ values: (number | null)[], label: string }} props nulls are gaps */
export function Sparkline({ values, label }) {
  const numbers = /** @type {number[]} */ (values.filter((value) => value !== null));
  if (numbers.length < 2) return html`<svg class="sparkline" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true"></svg>`;
  const low = Math.min(...numbers);
  const span = Math.max(...numbers) - low || 1;
  let pen = "M";
  let path = "";
  values.forEach((value, i) => {
    if (value === null) {
      pen = "M";
      return;
    }
    const x = (i / (values.length - 1)) * (WIDTH - 4) + 2;
    const y = HEIGHT - 2 - ((value - low) / span) * (HEIGHT - 4);
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  });
  return html`
    <svg class="sparkline" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${label}>
      <path d=${path} />
    </svg>
  `;
}
