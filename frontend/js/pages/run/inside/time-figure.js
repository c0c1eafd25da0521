/** @import { TimeSpent } from "../../../types.js" */
import { html } from "htm/preact";
import * as format from "../../../format.js";
import { sharesShown } from "../../../stores/inside.js";

/** Where the time went, as one bar and in numbers. @param {{ spent: TimeSpent }} props */
export function TimeFigure({ spent }) {
  const shares = sharesShown(spent);
  return html`
    <section class="inside-part" aria-labelledby="time-title">
      <h3 id="time-title">Where the time went</h3>
      <div class="time-bar" aria-hidden="true">
        ${shares.map(({ kind, label, share }) => html`<div key=${kind} data-kind=${kind} style=${`flex-grow: ${share}`} title=${label}></div>`)}
      </div>
      <dl class="time-shares">
        ${shares.map(
          ({ kind, label, seconds, share }) => html`
            <div key=${kind}>
              <dt data-kind=${kind}>${label}</dt>
              <dd>${format.share(share, 1)} <span class="muted">${secondsOf(seconds)}</span></dd>
            </div>
          `,
        )}
      </dl>
      ${spent.verdict && html`<p>${spent.verdict}</p>`}
    </section>
  `;
}

/** @param {number} seconds */
const secondsOf = (seconds) => (seconds < 10 ? `${seconds.toFixed(seconds < 1 ? 2 : 1)} s` : format.duration(seconds));
