/**
 * How models fared in the votes, and the votes themselves.
 *
 * @import { ApiError } from "../../server/requests.js"
 * @import { PreferenceData, Standing, Vote, VoteList } from "../../types.js"
 * @import { PlaygroundStore } from "../../stores/playground/playground-store.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { ConfirmButton } from "../../components/confirm-button.js";
import { ErrorNotice, Notice } from "../../components/notice.js";
import { count, share } from "../../format.js";
import { datasetLink } from "../../router.js";
import { datasetOfVotes, deleteVote, listVotes } from "../../server/api.js";

const LISTED = 20;

/** @param {{ store: PlaygroundStore }} props */
export function Votes({ store }) {
  const votes = useSignal(/** @type {VoteList | null} */ (null));
  const made = useSignal(/** @type {PreferenceData | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));
  /** @param {() => Promise<unknown>} work */
  const attempt = async (work) => {
    error.value = null;
    try {
      await work();
      votes.value = await listVotes(LISTED);
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
  };
  useEffect(() => void attempt(async () => {}), [store.voted.value]);

  if (!votes.value?.total) return html`<${ErrorNotice} error=${error.value} />`;
  const { items, total, models, pairs } = votes.value;
  return html`
    <details class="card fold votes">
      <summary><h2>Votes</h2><span class="muted">${count(total)}</span></summary>
      <${ErrorNotice} error=${error.value} />
      <${Standings} store=${store} title="Model" standings=${models} />
      ${pairs.length > 1 && html`<${Standings} store=${store} title="Against each other" standings=${pairs} />`}
      <p class="muted">A tie counts half. With few votes chance decides much: 7 wins in 10 may well be luck.</p>
      <div class="actions">
        <button type="button" class="button" onClick=${() => attempt(async () => (made.value = await datasetOfVotes()))}>Make a dataset of them</button>
        <span class="muted">Rows of prompt, chosen and rejected, as preference training (DPO) takes them.</span>
      </div>
      ${made.value && html`<${Made} made=${made.value} />`}
      <ul class="vote-list" aria-label="Latest votes">
        ${items.map((vote) => html`<${Row} key=${vote.id} store=${store} vote=${vote} onDelete=${() => attempt(() => deleteVote(vote.id))} />`)}
      </ul>
    </details>
  `;
}

/** @param {{ store: PlaygroundStore, title: string, standings: Standing[] }} props */
function Standings({ store, title, standings }) {
  return html`
    <div class="scroll-x" tabindex="0" role="region" aria-label=${title}>
      <table class="compare">
        <thead><tr><th>${title}</th><th>Win rate</th><th>Won</th><th>Lost</th><th>Equal</th><th>Both bad</th><th>Votes</th></tr></thead>
        <tbody>
          ${standings.map(
            (each) => html`
              <tr key=${`${each.model} ${each.other}`}>
                <th scope="row">${store.nameOf(each.model)}${each.other && html` <span class="muted">over</span> ${store.nameOf(each.other)}`}</th>
                <td>${share(each.win_rate, 1)}</td>
                ${[each.won, each.lost, each.equal, each.both_bad, each.votes].map((number) => html`<td>${count(number)}</td>`)}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{ made: PreferenceData }} props */
function Made({ made: { items, left_out: left } }) {
  return html`
    <${Notice} tone="good">
      ${items.map(({ id, name, rows }) => html`<a href=${datasetLink(id)}>${name}</a>, ${count(rows)} ${rows === 1 ? "row" : "rows"}. `)}
      ${left > 0 && `${count(left)} ${left === 1 ? "vote is" : "votes are"} left out: for neither answer, or the only one of its kind.`}
    <//>
  `;
}

/** @param {{ store: PlaygroundStore, vote: Vote, onDelete: () => Promise<void> }} props */
function Row({ store, vote: { prompt, messages, chosen, rejected, verdict, blind }, onDelete }) {
  const asked = prompt ?? messages?.at(-1)?.content ?? "";
  const [better, worse] = [store.nameOf(chosen.model), store.nameOf(rejected.model)];
  const words = { better: `${better} over ${worse}`, equal: `${better} and ${worse} equal`, both_bad: `${better} and ${worse} both bad` }[verdict];
  return html`
    <li>
      <span>${words}${blind && html` <span class="tag">blind</span>`}</span>
      <span class="muted vote-asked">${asked}</span>
      <${ConfirmButton} question="Delete this vote?" confirm="Delete" cancel="Keep" tone="small" onConfirm=${onDelete}>Delete<//>
    </li>
  `;
}
