import { html } from "htm/preact";
import { learnLink } from "../router.js";
import { Icon } from "./icon.js";

/**
 * A quiet way to the page of Learn that explains something.
 *
 * @param {{ page: string, what: string, says?: string }} props `says` is shown where it stands: see explain.js
 */
export function LearnLink({ page, what, says }) {
  return html`
    <a class="icon-button learn-link" href=${learnLink(page)} title=${says ? undefined : `What is ${what}?`} data-says=${says}>
      <${Icon} name="question" /><span class="visually-hidden">What is ${what}?</span>
    </a>
  `;
}
