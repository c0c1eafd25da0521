/** A message that is being changed, in its own place. */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

const FEWEST_ROWS = 3;
const MOST_ROWS = 16;
const CHARACTERS_A_ROW = 80;

/** Whether a text is being changed, and the button that began it, which has the focus again afterwards. */
export function useEditing() {
  const editing = useSignal(false);
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const before = useRef(false);
  useEffect(() => {
    if (before.current && !editing.value) button.current?.focus();
    before.current = editing.value;
  }, [editing.value]);
  return { editing, button };
}

/**
 * Ctrl+Enter saves, Escape leaves.
 *
 * @param {object} props
 * @param {string} props.text
 * @param {string} props.label
 * @param {string} props.save what the button that saves is called
 * @param {string} props.note
 * @param {(text: string) => void} props.onSave with text that is not blank
 * @param {() => void} props.onLeave
 */
export function TextEdit({ text, label, save, note, onSave, onLeave }) {
  const edited = useSignal(text);
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const box = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  // Before anybody can type: later the caret would be moved within what has been chosen or typed by then.
  useLayoutEffect(() => {
    box.current?.focus();
    box.current?.setSelectionRange(text.length, text.length);
    form.current?.scrollIntoView({ block: "nearest" }); // its buttons too
  }, []);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (edited.value.trim()) onSave(edited.value);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") onLeave();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.current?.requestSubmit();
  };
  const lines = edited.value.split("\n").reduce((rows, line) => rows + 1 + Math.floor(line.length / CHARACTERS_A_ROW), 0);
  return html`
    <form ref=${form} class="text-edit" onSubmit=${submit} onKeyDown=${keys}>
      <textarea
        ref=${box}
        dir="auto"
        rows=${Math.min(MOST_ROWS, Math.max(FEWEST_ROWS, lines))}
        aria-label=${label}
        value=${edited.value}
        onInput=${(/** @type {Event} */ event) => (edited.value = /** @type {HTMLTextAreaElement} */ (event.target).value)}
      />
      <div class="actions">
        <button class="button primary small" disabled=${!edited.value.trim()}>${save}</button>
        <button type="button" class="button small" onClick=${onLeave}>Cancel</button>
        <span class="muted">${note}</span>
      </div>
    </form>
  `;
}
