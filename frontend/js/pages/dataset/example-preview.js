/**
 * The first rows as the examples that they become, following each change before it is saved.
 *
 * @import { Dataset, Preview, Reading } from "../../types.js"
 */
import { html } from "htm/preact";
import { ErrorNotice } from "../../components/notice.js";
import { useLatest } from "../../components/hooks/use-latest.js";
import { count } from "../../format.js";
import { previewDataset } from "../../server/api.js";

const SHOWN = 3;
const NAMES = {
  ...{ text: "Text", prompt: "Prompt", completion: "Completion" },
  ...{ system: "System", user: "User", assistant: "Assistant", tool: "Tool" },
};

/** @param {{ dataset: Dataset, reading: Reading }} props */
export function ExamplePreview({ dataset, reading }) {
  const query = { limit: SHOWN, reading: JSON.stringify(reading) };
  const key = JSON.stringify([dataset.id, dataset.header, query]);
  const { value, error, busy } = useLatest(key, (signal) => previewDataset(dataset.id, query, signal));
  return html`
    <section class="example-preview" aria-labelledby="preview-title" aria-busy=${busy.value}>
      <h3 id="preview-title">The first rows, read so</h3>
      <${ErrorNotice} error=${error.value} />
      ${value.value && !error.value && html`<${Examples} preview=${value.value} />`}
    </section>
  `;
}

/** @param {{ preview: Preview }} props */
function Examples({ preview }) {
  return html`
    <ol>
      ${preview.examples.map(
        (parts, place) => html`
          <li key=${place}>
            <span class="row-number">${count(preview.numbers[place])}</span>
            <div class="parts">
              ${parts.length === 0 && html`<p class="muted">empty, left out</p>`}
              ${parts.map(
                (part, i) => html`
                  <div class="part" key=${i} data-learned=${part.learned ? "" : undefined}>
                    <span class="part-name">${NAMES[part.role]}${part.learned ? ", learned" : ""}</span>
                    <div class="part-text" dir="auto">${part.text}</div>
                  </div>
                `,
              )}
            </div>
          </li>
        `,
      )}
    </ol>
  `;
}
