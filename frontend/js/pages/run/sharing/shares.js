/**
 * Links to a run for people who have no access to this server.
 *
 * @import { Share } from "../../../types.js"
 * @import { RunStore } from "../../../stores/run-store.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { ConfirmButton } from "../../../components/confirm-button.js";
import { CopyButton } from "../../../components/copy-button.js";
import { ErrorNotice } from "../../../components/notice.js";
import * as format from "../../../format.js";
import * as api from "../../../server/api.js";
import { ApiError } from "../../../server/requests.js";

const DAYS = [1, 7, 30];
const DAY_S = 24 * 3600;
/** Names that only this machine knows. */
const OWN_NAMES = ["localhost", "127.0.0.1", "[::1]"];

/** @param {{ store: RunStore }} props */
export function Shares({ store }) {
  const links = useSignal(/** @type {Share[]} */ ([]));
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const days = useSignal(7);
  const checkpoints = store.checkpoints.value;
  const model = (checkpoints.find(({ kind }) => kind === "final") ?? checkpoints[checkpoints.length - 1])?.model;

  const look = () =>
    api.listShares().then(
      ({ items }) => (links.value = items.filter(({ target }) => target === store.id || target.startsWith(`run:${store.id}`))),
      (reason) => (error.value = reason),
    );
  useEffect(() => void look(), []);
  const act = async (/** @type {Promise<unknown>} */ work) => {
    error.value = null;
    await work.then(look, (reason) => (error.value = reason));
  };
  const share = (/** @type {{ run: string } | { model: string }} */ what) =>
    act(api.createShare({ ...what, expires_in_s: days.value * DAY_S }));

  return html`
    <details class="card fold">
      <summary><h2>Share by link</h2></summary>
      <p class="muted">
        Whoever has the link needs no password and can do nothing else here: read this run's report, or write with its model
        until the link's tokens (pieces of words) are used up.${OWN_NAMES.includes(location.hostname) &&
        " This server is reached from this machine alone, and so are its links."}
      </p>
      <div class="share-new">
        <label class="share-days">
          <span>Works for</span>
          <select value=${days.value} onChange=${(/** @type {any} */ event) => (days.value = Number(event.target.value))}>
            ${DAYS.map((number) => html`<option value=${number}>${number === 1 ? "1 day" : `${number} days`}</option>`)}
          </select>
        </label>
        <button type="button" class="button" onClick=${() => share({ run: store.id })}>Link to the report</button>
        ${model && html`<button type="button" class="button" onClick=${() => share({ model })}>Link to try the model</button>`}
      </div>
      <${ErrorNotice} error=${error.value} />
      ${links.value.map((link) => html`<${Link} key=${link.id} link=${link} onRemove=${() => act(api.deleteShare(link.id))} />`)}
    </details>
  `;
}

/** @param {{ link: Share, onRemove: () => Promise<void> }} props */
function Link({ link, onRemove }) {
  const address = location.origin + link.path;
  const what = link.kind === "run" ? "The report" : link.target.includes("@") ? `Checkpoint ${link.target.split("@")[1]}` : "The model";
  return html`
    <div class="share-link">
      <p>
        <a href=${link.path} target="_blank" rel="noopener">${what}</a>
        <span class="muted">
          ${" "}${link.expired ? "expired" : `until ${format.moment(link.expires_at, new Date())}`}${link.kind === "model" &&
          `, ${format.count(link.used_tokens)} of ${format.count(link.max_tokens)} tokens used`}
        </span>
      </p>
      <div class="actions">
        ${!link.expired && html`<${CopyButton} text=${address} label="Copy link" />`}
        <${ConfirmButton} question="Take this link back?" confirm="Take back" cancel="Keep" onConfirm=${onRemove} tone="small">
          Take back
        <//>
      </div>
    </div>
  `;
}
