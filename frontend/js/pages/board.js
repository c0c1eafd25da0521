/**
 * All runs: filtered, sorted, described, and taken to be compared, archived or deleted.
 *
 * @import { Filter } from "../stores/board-filter.js"
 */
import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import { boardLink, filterOf, narrows } from "../stores/board-filter.js";
import { BoardStore } from "../stores/board-store.js";
import { ConnectionState } from "../components/frame/connection.js";
import { Icon } from "../components/icon.js";
import { MachineLine } from "../components/frame/machine-line.js";
import { ErrorNotice } from "../components/notice.js";
import { useNow } from "../components/hooks/use-now.js";
import { BulkBar } from "./board/bulk-bar.js";
import { Filters } from "./board/filters.js";
import { FirstVisit } from "./board/first-visit.js";
import { BoardRow } from "./board/row.js";

const TYPING_PAUSE_MS = 250;

/** @param {{ query: URLSearchParams }} props of the link, a new object whenever one is followed */
export function BoardPage({ query }) {
  const store = useMemo(() => new BoardStore(), []);
  const now = useNow(30_000);

  useEffect(() => {
    document.title = "Runs · Trainboard";
    return () => store.close();
  }, []);
  useEffect(() => {
    if (store.runs.peek()) return store.show(filterOf(query), 0);
    store.filter.value = filterOf(query);
    store.open();
  }, [query]);

  const show = (/** @type {Filter} */ filter) => {
    // The link follows the controls without a step in the history for each letter.
    history.replaceState(null, "", boardLink(filter));
    store.show(filter, filter.q === store.filter.value.q ? 0 : TYPING_PAUSE_MS);
  };

  const runs = store.runs.value;
  const filter = store.filter.value;
  if (runs?.length === 0 && store.known.value === 0) return html`<${FirstVisit} />`;
  return html`
    <div class="page-head">
      <h1>Runs</h1>
      ${runs && html`<${ConnectionState} state=${store.connection.value} />`}
      <a class="button primary push" href="#/new"><${Icon} name="plus" />New run</a>
    </div>
    <${MachineLine} machine=${store.machine.value} />
    <${Filters} filter=${filter} tags=${store.tags.value} onChange=${show} />
    <${ErrorNotice} error=${store.error.value} />
    ${runs?.length === 0 && html`<${NothingFits} filter=${filter} onClear=${show} />`}
    ${runs &&
    runs.length > 0 &&
    html`
      <div class="board">
        <${BulkBar} store=${store} />
        <ul>
          ${runs.map((run, i) => html`<${BoardRow} key=${run.peek().id} run=${run} store=${store} now=${now} first=${i === 0} />`)}
        </ul>
      </div>
    `}
    ${store.nextPage.value &&
    html`
      <button type="button" class="button more" onClick=${() => store.loadMore()}>
        ${filter.sort === "created" ? "Show older runs" : "Show more runs"}
      </button>
    `}
  `;
}

/** @param {{ filter: Filter, onClear: (filter: Filter) => void }} props */
function NothingFits({ filter, onClear }) {
  if (!narrows(filter)) {
    return html`
      <section class="empty small" role="status">
        <p>All runs are archived.</p>
        <button type="button" class="button" onClick=${() => onClear({ ...filter, archived: true })}>Show archived runs</button>
      </section>
    `;
  }
  const where = filter.archived ? "No archived run fits" : "No run fits";
  return html`
    <section class="empty small" role="status">
      <p>${where}${filter.q || filter.status || filter.tag ? " these filters." : "."}</p>
      <button
        type="button"
        class="button"
        onClick=${() => onClear({ ...filter, q: "", status: "", tag: "", archived: false })}
      >
        Show all runs
      </button>
    </section>
  `;
}
