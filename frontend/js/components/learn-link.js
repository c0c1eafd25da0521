import { html } from "htm/preact";
import { learnLink } from "../router.js";
import { Icon } from "./icon.js";

/**
 * A quiet way to the page of Learn that explains something.
 *
 * @param {{ page: string, what: string, explains?: string }} props `explains` is a name in stores/learn/numbers.js
 */
export function LearnLink({ page, what, explains }) {
  return html`
    <a class="icon-button learn-link" href=${learnLink(page)} aria-label=${`What is ${what}?`} data-explain=${explains}>
      <${Icon} name="question" />
    </a>
  `;
}
