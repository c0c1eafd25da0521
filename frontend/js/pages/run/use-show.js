import { useEffect } from "preact/hooks";

const FADES_IN_MS = 2500;

/**
 * Brings the part of the page into sight that the link names with `show`, a chart's id or a `data-part`, once it is there.
 *
 * @param {URLSearchParams} query of the link
 */
export function useShow(query) {
  useEffect(() => {
    const name = query.get("show");
    if (!name) return undefined;
    const selector = ["figure", "part"].map((kind) => `[data-${kind}="${CSS.escape(name)}"]`).join();
    const look = () => {
      const part = /** @type {HTMLElement | null} */ (document.querySelector(selector));
      if (part) bringIntoSight(part);
      return part !== null;
    };
    if (look()) return undefined;
    const observer = new MutationObserver(() => look() && observer.disconnect());
    observer.observe(document.body, { childList: true, subtree: true });
    return () => observer.disconnect();
  }, [query]);
}

/** @param {HTMLElement} part */
function bringIntoSight(part) {
  if (part instanceof HTMLDetailsElement) part.open = true;
  part.tabIndex = -1; // so that a keyboard goes on from there
  part.focus({ preventScroll: true });
  part.scrollIntoView({ block: "center" });
  const color = getComputedStyle(part).getPropertyValue("--accent-text");
  part.animate({ boxShadow: [`0 0 0 3px ${color}`, `0 0 0 3px transparent`] }, FADES_IN_MS);
}
