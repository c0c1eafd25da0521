import { html } from "htm/preact";

/**
 * @param {object} props
 * @param {number | null} props.share 0 to 1; null while it cannot be known
 * @param {string} props.label
 */
export function Progress({ share, label }) {
  const percent = share === null ? null : Math.round(share * 100);
  return html`
    <div
      class="progress ${percent === null ? "progress-unknown" : ""}"
      role="progressbar"
      aria-label=${label}
      aria-valuemin="0"
      aria-valuemax="100"
      aria-valuenow=${percent ?? undefined}
    >
      <div style=${{ transform: `scaleX(${share ?? 0.3})` }}></div>
    </div>
  `;
}
