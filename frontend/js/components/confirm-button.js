/** @import { ComponentChildren } from "preact" */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";

/**
 * A button that asks back in its own place.
 *
 * @param {object} props
 * @param {ComponentChildren} props.children what the button says
 * @param {string} props.question
 * @param {string} props.confirm
 * @param {string} props.cancel
 * @param {() => Promise<void>} props.onConfirm
 * @param {string} [props.tone] class of the button
 */
export function ConfirmButton({ children, question, confirm, cancel, onConfirm, tone = "" }) {
  const asking = useSignal(false);
  const busy = useSignal(false);
  const answer = useRef(/** @type {HTMLButtonElement | null} */ (null));

  const trigger = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const asked = useRef(false);

  useEffect(() => {
    if (asking.value) answer.current?.focus();
    else if (asked.current) trigger.current?.focus(); // back to where the keyboard came from
    asked.current = asking.value;
  }, [asking.value]);

  if (!asking.value) {
    return html`
      <button ref=${trigger} type="button" class="button ${tone}" onClick=${() => (asking.value = true)}>${children}</button>
    `;
  }
  const act = async () => {
    busy.value = true;
    await onConfirm();
    busy.value = false;
    asking.value = false;
  };
  const leave = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") asking.value = false;
  };
  return html`
    <div class="confirm" role="group" aria-label=${question} onKeyDown=${leave}>
      <span>${question}</span>
      <button ref=${answer} type="button" class="button danger" disabled=${busy.value} onClick=${act}>${confirm}</button>
      <button type="button" class="button" disabled=${busy.value} onClick=${() => (asking.value = false)}>${cancel}</button>
    </div>
  `;
}
