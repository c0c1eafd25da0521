/**
 * The frame around every page: navigation, theme, and which page the address names.
 *
 * @import { Route } from "./router.js"
 */
import { useSignal } from "@preact/signals";
import { html, render } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { Explainer } from "./components/explain.js";
import { Icon } from "./components/icon.js";
import { NotifyToggle } from "./components/frame/notify-toggle.js";
import { ThemeToggle } from "./components/frame/theme-toggle.js";
import { BoardPage } from "./pages/board.js";
import { ComparePage } from "./pages/compare.js";
import { DatasetPage } from "./pages/dataset.js";
import { DatasetsPage } from "./pages/datasets.js";
import { DiskPage } from "./pages/disk.js";
import { EvaluatePage } from "./pages/evaluate.js";
import { MicroscopePage } from "./pages/microscope.js";
import { LearnPages } from "./pages/learn.js";
import { NewRunPage } from "./pages/new-run.js";
import { NotFoundPage } from "./pages/not-found.js";
import { PlaygroundPage } from "./pages/playground.js";
import { RunPage } from "./pages/run.js";
import { parseRoute } from "./router.js";

const LINKS = /** @type {const} */ ([
  ["#/", "Runs", ["board", "run", "microscope", "compare", "disk"]],
  ["#/new", "New run", ["new"]],
  ["#/playground", "Playground", ["playground"]],
  ["#/evaluate", "Evaluate", ["evaluate"]],
  ["#/datasets", "Datasets", ["datasets", "dataset"]],
  ["#/learn", "Learn", ["learn", "lesson"]],
]);

function App() {
  const route = useSignal(parseRoute(location.hash));
  const main = useRef(/** @type {HTMLElement | null} */ (null));

  useEffect(() => {
    const follow = () => {
      route.value = parseRoute(location.hash);
      // A new page is read from its top, by eye and by screen reader.
      scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    };
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);

  return html`
    <button class="skip-link" onClick=${() => main.current?.focus()}>Skip to content</button>
    <header class="topbar">
      <div class="topbar-inner">
        <a class="brand" href="#/"><img src="/favicon.svg" alt="" width="24" height="24" /><span>Trainboard</span></a>
        <nav aria-label="Pages">
          ${LINKS.map(([href, title, pages]) => {
            const current = /** @type {readonly string[]} */ (pages).includes(route.value.page);
            return html`<a href=${href} aria-current=${current ? "page" : undefined}>${title}</a>`;
          })}
        </nav>
        <div class="topbar-tools">
          <a class="quiet" href="/docs">API <${Icon} name="external" /></a>
          <${NotifyToggle} />
          <${ThemeToggle} />
        </div>
      </div>
    </header>
    <main ref=${main} tabindex="-1"><${CurrentPage} route=${route.value} /></main>
    <${Explainer} />
  `;
}

/** @param {{ route: Route }} props */
function CurrentPage({ route }) {
  switch (route.page) {
    case "board":
      return html`<${BoardPage} query=${route.query} />`;
    case "compare":
      return html`<${ComparePage} key=${String(route.query)} query=${route.query} />`;
    case "new":
      return html`
        <${NewRunPage} key=${String(route.query)} query=${route.query} />
      `;
    case "run":
      return html`<${RunPage} key=${route.id} id=${route.id} query=${route.query} />`;
    case "microscope":
      return html`<${MicroscopePage} key=${route.id} id=${route.id} query=${route.query} />`;
    case "playground":
      return html`<${PlaygroundPage} key=${String(route.query)} query=${route.query} />`;
    case "evaluate":
      return html`<${EvaluatePage} key=${String(route.query)} query=${route.query} />`;
    case "datasets":
      return html`<${DatasetsPage} />`;
    case "dataset":
      return html`<${DatasetPage} key=${route.id} id=${route.id} query=${route.query} />`;
    case "disk":
      return html`<${DiskPage} />`;
    case "learn":
    case "lesson":
      return html`<${LearnPages} key=${route.page + route.id} route=${route} />`;
    default:
      return html`<${NotFoundPage} what="This page" />`;
  }
}

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
