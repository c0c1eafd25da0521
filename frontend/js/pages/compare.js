/**
 * Several runs side by side: what differed and what came of it in words, their curves in one chart, and two tables.
 *
 * @import { CompareSettings } from "../stores/compare-settings.js"
 * @import { Comparison } from "../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import { settingsLink, settingsOf } from "../stores/compare-settings.js";
import { CompareStore } from "../stores/compare-store.js";
import { ConnectionState } from "../components/frame/connection.js";
import { ErrorNotice } from "../components/notice.js";
import { Curves } from "./compare/curves.js";
import { Differences } from "./compare/differences.js";
import { Outcomes } from "./compare/outcomes.js";

/** @param {{ query: URLSearchParams }} props of the link */
export function ComparePage({ query }) {
  const settings = useSignal(useMemo(() => settingsOf(query), []));
  const store = useMemo(() => {
    const { runs, metric, axis } = settings.peek();
    return new CompareStore(runs, metric, axis);
  }, []);

  useEffect(() => {
    document.title = "Compare runs · Trainboard";
    store.open();
    return () => store.close();
  }, []);

  const change = (/** @type {Partial<CompareSettings>} */ some) => {
    settings.value = { ...settings.peek(), ...some };
    history.replaceState(null, "", settingsLink(settings.value));
    store.show(settings.value.metric, settings.value.axis);
  };
  const comparison = store.comparison.value;
  return html`
    <div class="page-head">
      <h1>${comparison ? `Compare ${comparison.runs.length} runs` : "Compare runs"}</h1>
      ${comparison && html`<${ConnectionState} state=${store.connection.value} />`}
      <a class="button push" href="#/">All runs</a>
    </div>
    <${ErrorNotice} error=${store.error.value} />
    ${comparison &&
    html`
      <${Sentences} comparison=${comparison} />
      <${Curves} store=${store} comparison=${comparison} settings=${settings.value} onChange=${change} />
      <${Outcomes} comparison=${comparison} />
      <${Differences} comparison=${comparison} />
    `}
  `;
}

/** @param {{ comparison: Comparison }} props */
function Sentences({ comparison: { sentences } }) {
  const [first, ...rest] = sentences;
  return html`
    <section class="verdict" aria-label="In words">
      <p><strong>${first}</strong></p>
      ${rest.map((sentence) => html`<p key=${sentence}>${sentence}</p>`)}
    </section>
  `;
}
