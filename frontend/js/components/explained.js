/** @import { ComponentChildren } from "preact" */
import { html } from "htm/preact";
import { learnLink } from "../router.js";
import { NUMBERS } from "../stores/learn/numbers.js";

/**
 * A number's label: pointing at it or focusing it explains the number, following it leads to its page of Learn.
 *
 * @param {{ number: string, children: ComponentChildren }} props a name in stores/learn/numbers.js
 */
export function Explained({ number, children }) {
  return html`<a class="explained" href=${learnLink(NUMBERS[number].page)} data-explain=${number}>${children}</a>`;
}
