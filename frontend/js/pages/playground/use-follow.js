/**
 * Keeps the end of a conversation in sight while it is written, unless the reader has scrolled away from it.
 */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** So far below the fold the end still counts as seen. */
const NEAR = 48;

/** @param {boolean} writing */
export function useFollow(writing) {
  const end = useRef(/** @type {HTMLElement | null} */ (null));
  const away = useSignal(false);
  const toEnd = () => {
    away.value = false;
    end.current?.scrollIntoView({ block: "nearest" });
  };
  useEffect(() => {
    if (!writing) return;
    toEnd();
    const look = () => (away.value = distance(end.current) > NEAR);
    const grown = new ResizeObserver(() => !away.value && toEnd());
    if (end.current?.parentElement) grown.observe(end.current.parentElement);
    addEventListener("scroll", look, { passive: true });
    return () => {
      grown.disconnect();
      removeEventListener("scroll", look);
      away.value = false;
    };
  }, [writing]);
  return { end, away, toEnd };
}

/** How far the end is below what can be seen of it, where its own margin is kept. @param {HTMLElement | null} end */
function distance(end) {
  if (!end) return 0;
  const margin = Number.parseFloat(getComputedStyle(end).scrollMarginBottom) || 0;
  return end.getBoundingClientRect().bottom + margin - innerHeight;
}
