import { html } from "htm/preact";

/** Strokes on a grid of 16 by 16. */
const PATHS = {
  check: "M3.5 8.5 6.5 11.5 12.5 4.5",
  cross: "M4.5 4.5 11.5 11.5M11.5 4.5 4.5 11.5",
  clock: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M8 5v3.2l2 1.6",
  stop: "M4 4h8v8H4z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M4.8 3v10l8-5z",
  bolt: "M9 2 4 9h4l-1 5 5-7H8z",
  dots: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  again: "M12.5 8a4.5 4.5 0 1 1-1.6-3.4M12.5 2.5v3h-3",
  plus: "M8 3.5v9M3.5 8h9",
  down: "M8 3v10M4 9l4 4 4-4",
  pencil: "M3 13l.6-2.6L10.8 3.2l2 2L5.6 12.4z",
  copy: "M6 6h7v7H6zM10 3H3v7",
  trash: "M3 4.5h10M6.5 4V2.5h3V4M4.5 4.5 5 13.5h6l.5-9",
  upload: "M8 10.5v-7M5 6l3-3 3 3M3 10v3h10v-3",
  download: "M8 3v7.5M5 8l3 3 3-3M3 10.5V13h10v-2.5",
  bell: "M4.5 11.5V7a3.5 3.5 0 0 1 7 0v4.5l1 1h-9zM6.8 14h2.4",
  bellOff: "M4.5 11.5V7a3.5 3.5 0 0 1 7 0v4.5l1 1h-9zM6.8 14h2.4M2.5 2.5l11 11",
  external: "M6 4h6v6M12 4 4 12",
  grow: "M9.5 3H13v3.5M6.5 13H3V9.5M13 3 9 7M3 13l4-4",
  shrink: "M12.5 7H9V3.5M3.5 9H7v3.5M9 7l4-4M7 9l-4 4",
  picture: "M2.5 3.5h11v9h-11zM2.5 11l3.5-3 2.5 2 2-1.5 3 2.5M10.5 6.3v.01",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M2.5 9.5h11M7 6.5v6",
  question: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M6.4 6.6a1.6 1.6 0 1 1 2.3 1.4q-.7.4-.7 1.1M8 11.1v.01",
  sun: "M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5M8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.8.8M11.8 11.8l.8.8M3.4 12.6l.8-.8M11.8 4.2l.8-.8",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z",
  fork: "M5 3.5v9M5 8.5c0-2 6-1 6-4M3.6 3.5a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0M9.6 3.5a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0M3.6 12.5a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0",
  warning: "M8 2.5 14 13H2zM8 6.5v3M8 11.3v.01",
  info: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M8 7.5v3M8 5.3v.01",
};

/**
 * Always beside a word or a label, so never read aloud.
 *
 * @param {{ name: keyof typeof PATHS }} props
 */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
