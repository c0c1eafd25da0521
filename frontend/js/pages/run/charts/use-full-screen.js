import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/**
 * An element over the whole screen; over the whole page in a browser that does not allow that.
 *
 * @param {import("preact").RefObject<HTMLElement>} element
 */
export function useFullScreen(element) {
  const active = useSignal(false);
  const over = useSignal(false);

  useEffect(() => {
    const follow = () => (active.value = over.value || document.fullscreenElement === element.current);
    document.addEventListener("fullscreenchange", follow);
    return () => document.removeEventListener("fullscreenchange", follow);
  }, []);

  const cover = (/** @type {boolean} */ whether) => {
    over.value = active.value = whether;
  };
  const toggle = () => {
    if (over.value) cover(false);
    else if (document.fullscreenElement) document.exitFullscreen();
    else if (element.current?.requestFullscreen) element.current.requestFullscreen().catch(() => cover(true));
    else cover(true);
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !over.value) return;
    event.stopPropagation();
    cover(false);
  };
  return { active, over, toggle, onKey };
}
