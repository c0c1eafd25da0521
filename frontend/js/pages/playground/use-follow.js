/**
 * Keeps the end of a conversation in sight while it is written, unless the reader has scrolled away from it.
 */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** So far below the fold the end still counts as seen. */
const NEAR = 48;
/** Between the end and the composer, which stands over it. */
const GAP = 16;

/**
 * @param {boolean} writing
 * @returns what to put at the end of the conversation, just above the composer; whether the reader is away from it; and the way back
 */
export function useFollow(writing) {
  const end = useRef(/** @type {HTMLElement | null} */ (null));
  const away = useSignal(false);
  const toEnd = () => {
    away.value = false;
    const below = hidden(end.current);
    if (below > 0) scrollBy(0, below);
  };
  useEffect(() => {
    if (!writing) return;
    toEnd();
    const look = () => (away.value = hidden(end.current) > NEAR);
    const grown = new ResizeObserver(() => !away.value && toEnd());
    if (end.current?.parentElement) grown.observe(end.current.parentElement);
    addEventListener("scroll", look, { passive: true });
    return () => {
      grown.disconnect();
      removeEventListener("scroll", look);
      if (!away.value) toEnd(); // what to vote for is there now
      away.value = false;
    };
  }, [writing]);
  return { end, away, toEnd };
}

/** How many pixels the end would have to come up to be seen whole. @param {HTMLElement | null} end */
function hidden(end) {
  if (!end) return 0;
  const composer = /** @type {HTMLElement | null | undefined} */ (end.parentElement?.nextElementSibling);
  return end.getBoundingClientRect().bottom + GAP + (composer?.offsetHeight ?? 0) - innerHeight;
}
