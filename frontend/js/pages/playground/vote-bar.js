/**
 * Which answer is better.
 *
 * @import { ApiError } from "../../server/requests.js"
 * @import { PlaygroundStore, Turn } from "../../stores/playground/playground-store.js"
 * @import { Verdict } from "../../stores/playground/votes.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { Icon } from "../../components/icon.js";
import { ErrorNotice } from "../../components/notice.js";
import { letterOf } from "../../stores/playground/votes.js";

/** @param {{ store: PlaygroundStore, turn: Turn }} props */
export function VoteBar({ store, turn }) {
  const busy = useSignal(false);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const verdict = turn.verdict.value;
  const answered = turn.answers.every((answer) => !answer.busy && !answer.error.value);
  const said = new Set(turn.answers.map(({ text }) => text.value));
  if (!answered || turn.busy) return null;
  if (verdict) {
    // The button that had the focus is gone.
    const take = (/** @type {HTMLElement | null} */ line) => document.activeElement === document.body && line?.focus();
    return html`<p class="vote-bar" role="status" tabindex="-1" ref=${take}><${Icon} name="check" /> ${wordsFor(store, verdict)}</p>`;
  }
  if (turn.answers.some(({ edited }) => edited.value)) {
    return html`<p class="vote-bar muted">An answer was edited, so there is nothing to vote on.</p>`;
  }

  const vote = async (/** @type {Verdict} */ given) => {
    busy.value = true;
    error.value = null;
    try {
      await store.vote(turn, given);
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
    busy.value = false;
  };
  const two = turn.answers.length === 2;
  return html`
    <div class="vote-bar" role="group" aria-label="Which answer is better?">
      <span>Which is better?</span>
      ${said.size > 1 &&
      turn.answers.map(
        ({ model }, place) => html`
          <button type="button" class="button small" disabled=${busy.value} onClick=${() => vote({ kind: "better", model })}>
            ${turn.hidden ? letterOf(place) : two ? ["The first", "The second"][place] : store.nameOf(model)}
          </button>
        `,
      )}
      <button type="button" class="button small" disabled=${busy.value} onClick=${() => vote({ kind: "equal" })}>${two ? "Equal" : "All equal"}</button>
      <button type="button" class="button small" disabled=${busy.value} onClick=${() => vote({ kind: "both_bad" })}>${two ? "Both bad" : "All bad"}</button>
      ${said.size === 1 && html`<span class="muted">They say the same.</span>`}
      <${ErrorNotice} error=${error.value} />
    </div>
  `;
}

/** @param {PlaygroundStore} store @param {Verdict} verdict */
function wordsFor(store, verdict) {
  if (verdict.kind === "better") return `You found ${store.nameOf(verdict.model)} better.`;
  return verdict.kind === "equal" ? "You found them equal." : "You found none of them good.";
}
