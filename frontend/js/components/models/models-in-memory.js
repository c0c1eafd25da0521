/** @import { Generation } from "../../types.js" */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import * as format from "../../format.js";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";
import { ErrorNotice } from "../notice.js";
import { Progress } from "../progress.js";

/** Models come into memory and leave it without this page's doing: other clients ask for them too. */
const LOOK_EVERY_MS = 2000;

/**
 * Which models the server holds in memory, and a button that frees them.
 *
 * @param {{ nameOf: (id: string) => string }} props what people call a model
 */
export function ModelsInMemory({ nameOf }) {
  const held = useSignal(/** @type {Generation | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));

  useEffect(() => {
    const look = () => document.hidden || api.modelsInMemory().then((found) => (held.value = found), () => {});
    look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);

  if (!held.value?.running) return null;
  const { models, loading } = held.value;
  const named = (/** @type {string} */ name) => name.replace(/^(base of )?(.*)$/, (_, base = "", id) => base + nameOf(id));
  const free = () =>
    api.freeModels().then(
      (found) => (held.value = found),
      (reason) => (error.value = reason),
    );
  return html`
    <section class="models-in-memory" aria-label="Models in memory">
      <h3>In memory</h3>
      ${!models.length && !loading.length && html`<p class="muted">No model. The first prompt loads one.</p>`}
      <ul>
        ${models.map(
          ({ name, device, bytes, texts }) => html`
            <li key=${`${name} ${device}`}>
              <span>${named(name)}</span>
              <span class="muted">
                ${format.bytes(bytes)} on ${device === "cpu" ? "the CPU" : device}${texts > 0 && `, writing ${texts === 1 ? "a text" : `${texts} texts`}`}
              </span>
            </li>
          `,
        )}
        ${loading.map(
          ({ name, bytes, total }) => html`
            <li key=${name}>
              <span>${named(name)}</span>
              ${total
                ? html`<${Progress} share=${bytes / total} label="Download of ${name}" />
                    <span class="muted">${format.bytes(bytes)} of ${format.bytes(total)}</span>`
                : html`<span class="muted">is being loaded…</span>`}
            </li>
          `,
        )}
      </ul>
      <${ErrorNotice} error=${error.value} />
      ${models.some(({ texts }) => texts === 0) &&
      html`<button type="button" class="button" onClick=${free}>Free memory</button>`}
      <p class="muted">Those not used for longest make room for others, and all are freed after five minutes without a prompt.</p>
    </section>
  `;
}
