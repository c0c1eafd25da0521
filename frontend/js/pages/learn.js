/**
 * Learn's pages, which are fetched only when somebody opens one: they are much text, and the other pages do without it.
 *
 * @import { Route } from "../router.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";

/** @param {{ route: Route }} props */
export function LearnPages({ route }) {
  const pages = useSignal(/** @type {typeof import("./learn/pages.js") | null} */ (null));
  useEffect(() => {
    import("./learn/pages.js").then((loaded) => (pages.value = loaded));
  }, []);
  if (!pages.value) return null;
  const { LearnPage, LessonPage } = pages.value;
  return route.page === "lesson" ? html`<${LessonPage} name=${route.id} />` : html`<${LearnPage} name=${route.id} />`;
}
