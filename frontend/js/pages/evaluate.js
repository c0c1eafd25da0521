/**
 * How good are these models? On one text, on datasets, and to a reader.
 *
 * @import { Model } from "../types.js"
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import * as api from "../server/api.js";
import { ApiError } from "../server/requests.js";
import { ErrorNotice } from "../components/notice.js";
import { Segmented } from "../components/segmented.js";
import { evaluateLink } from "../router.js";
import { DatasetsPart } from "./evaluate/datasets.js";
import { PromptsPart } from "./evaluate/prompts.js";
import { TextPart } from "./evaluate/text.js";

/** @typedef {"text" | "datasets" | "prompts"} Part */

const PARTS = /** @type {[Part, string][]} */ ([
  ["text", "A text"],
  ["datasets", "Datasets"],
  ["prompts", "Prompts"],
]);

/** @param {{ query: URLSearchParams }} props what the link asks for: `part`, `models` and `datasets`, each with commas between */
export function EvaluatePage({ query }) {
  const models = useSignal(/** @type {Model[] | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const part = useSignal(PARTS.find(([name]) => name === query.get("part"))?.[0] ?? "text");
  const chosen = useSignal(listed(query, "models"));
  const datasets = useSignal(listed(query, "datasets"));

  useEffect(() => {
    document.title = "Evaluate · Trainboard";
    api.listModels().then(
      ({ items }) => {
        models.value = items.filter((each) => each.promptable);
        if (chosen.value.length === 0) chosen.value = models.value.slice(0, 1).map((each) => each.id);
      },
      (reason) => (error.value = reason),
    );
  }, []);
  useEffect(() => {
    history.replaceState(null, "", evaluateLink(chosen.value, part.value, datasets.value)); // the router does not run
  }, [chosen.value, part.value, datasets.value]);

  if (models.value?.length === 0 && chosen.value.length === 0) return html`<${NoModels} />`;
  const nameOf = (/** @type {string} */ id) => models.value?.find((each) => each.id === id)?.name ?? id;
  const shared = { models: models.value ?? [], chosen, nameOf };
  return html`
    <div class="page-head">
      <h1>Evaluate</h1>
      <${Segmented}
        label="What to evaluate on"
        name="part"
        options=${PARTS}
        value=${part.value}
        onChange=${(/** @type {Part} */ value) => (part.value = value)}
      />
    </div>
    <${ErrorNotice} error=${error.value} />
    ${part.value === "text" && html`<${TextPart} ...${shared} />`}
    ${part.value === "datasets" && html`<${DatasetsPart} ...${shared} datasets=${datasets} />`}
    ${part.value === "prompts" && html`<${PromptsPart} ...${shared} />`}
  `;
}

/** @param {URLSearchParams} query @param {string} name */
const listed = (query, name) => [...new Set((query.get(name) ?? "").split(",").filter(Boolean))];

function NoModels() {
  return html`
    <section class="empty">
      <h1>No model to evaluate yet</h1>
      <p>Every run that ends leaves one. The sample run takes about a minute.</p>
      <a class="button primary" href="#/">Go to the runs</a>
    </section>
  `;
}
