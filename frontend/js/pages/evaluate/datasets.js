/**
 * Models on datasets, in the background.
 *
 * @import { Signal } from "@preact/signals"
 * @import { Model } from "../../types.js"
 */
import { html } from "htm/preact";

/** @param {{ models: Model[], chosen: Signal<string[]>, datasets: Signal<string[]>, nameOf: (id: string) => string }} props */
export function DatasetsPart({ nameOf }) {
  return html`<p>${nameOf("Soon.")}</p>`;
}
