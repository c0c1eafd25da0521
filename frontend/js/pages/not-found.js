import { html } from "htm/preact";
import { useEffect } from "preact/hooks";

/** @param {{ what: string }} props */
export function NotFoundPage({ what }) {
  useEffect(() => {
    document.title = "Not found · Trainboard";
  }, []);
  return html`
    <section class="empty">
      <h1>${what} does not exist</h1>
      <p>It may have been deleted, or the address was cut short.</p>
      <a class="button primary" href="#/">See all runs</a>
    </section>
  `;
}
