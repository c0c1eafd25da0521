/** @import { ApiError } from "../../server/requests.js" */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { getLog } from "../../server/api.js";
import { ErrorNotice } from "../../components/notice.js";

const TAIL_BYTES = 16_384;
const MOST_CHARACTERS = 200_000;
/** The log is no part of the event stream, so it is asked for, and only while it is open. */
const POLL_MS = 2000;
const NEAR_BOTTOM_PX = 24;

/** The worker's output; follows its end unless scrolled away from it. @param {{ id: string, active: boolean }} props */
export function Log({ id, active }) {
  const open = useSignal(true);
  const { text, error } = useLog(id, active, open.value);
  const box = useRef(/** @type {HTMLPreElement | null} */ (null));
  const following = useRef(true);

  useLayoutEffect(() => {
    if (box.current && following.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text, open.value]);

  const onScroll = (/** @type {Event} */ event) => {
    const { scrollHeight, scrollTop, clientHeight } = /** @type {HTMLElement} */ (event.target);
    following.current = scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PX;
  };
  const onToggle = (/** @type {Event} */ event) => (open.value = /** @type {HTMLDetailsElement} */ (event.target).open);
  return html`
    <details class="card fold" data-part="log" open onToggle=${onToggle}>
      <summary><h2>Log</h2></summary>
      <${ErrorNotice} error=${error} />
      <pre class="log" ref=${box} tabindex="0" aria-label="The worker's log" onScroll=${onScroll}>
        ${text || "Nothing written yet."}
      </pre>
    </details>
  `;
}

/** @param {string} id @param {boolean} active @param {boolean} open */
function useLog(id, active, open) {
  const text = useSignal("");
  const offset = useSignal(/** @type {number | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));

  useEffect(() => {
    if (!open) return undefined;
    let left = false;
    let timer = 0;
    const read = async () => {
      try {
        const from = offset.peek();
        const chunk = await getLog(id, from ?? -TAIL_BYTES);
        if (left) return;
        // A tail that starts within the file most likely starts within a line.
        const cut = from === null && chunk.size > TAIL_BYTES ? chunk.text.indexOf("\n") + 1 : 0;
        text.value = (text.peek() + chunk.text.slice(cut)).slice(-MOST_CHARACTERS);
        offset.value = chunk.offset;
        error.value = null;
        // Without the first check a log that ends within a character would be asked for without end.
        if (chunk.offset !== from && chunk.offset < chunk.size) return read();
      } catch (reason) {
        if (left) return;
        error.value = /** @type {ApiError} */ (reason);
      }
      if (active) timer = setTimeout(read, POLL_MS);
    };
    read();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [id, active, open]);
  return { text: text.value, error: error.value };
}
