/**
 * Texts that look wrong as they stand: how many, some of them, and what to do.
 *
 * @import { TextProblem } from "../../types.js"
 */
import { html } from "htm/preact";
import { Notice } from "../../components/notice.js";
import { count } from "../../format.js";

const TOLD = {
  mojibake: {
    title: (/** @type {number} */ rows) => `${examples(rows, "looks", "look")} as if read in a wrong encoding`,
    advice:
      "The file was made from UTF-8 text that some program took for another encoding, and the model would learn it so. " +
      "Save it anew from its source as UTF-8, or mend it with a tool such as ftfy, and upload it again.",
  },
  control_characters: {
    title: (/** @type {number} */ rows) => `${examples(rows, "holds", "hold")} control characters or signs for lost ones`,
    advice: "The model would learn to write them. Take them out of the file, or make it anew where � stands for what was lost.",
  },
  extreme_length: {
    title: (/** @type {number} */ rows) => `${examples(rows, "is", "are")} far longer than nearly all others`,
    advice:
      "Often that is a whole file in one cell, or a quote that is never closed. Look at them; " +
      "if they are meant, divide them, as what is beyond Max length is not learned.",
  },
};

/**
 * @param {number} rows
 * @param {string} one the verb for one of them
 * @param {string} many
 */
const examples = (rows, one, many) => `${count(rows)} ${rows === 1 ? `example ${one}` : `examples ${many}`}`;

/** @param {{ problems: TextProblem[], onRow: (row: number) => void }} props */
export function TextProblems({ problems, onRow }) {
  return problems.map(
    (problem) => html`
      <section class="text-problems" key=${problem.kind} aria-label=${problem.kind.replace("_", " ")}>
        <${Notice} tone="warning" title=${TOLD[problem.kind].title(problem.rows)}>${TOLD[problem.kind].advice}<//>
        <details>
          <summary>${problem.rows > problem.examples.length ? "Some of these examples" : "These examples"}</summary>
          ${problem.examples.map((example) => html`<${Example} key=${example.row} example=${example} onRow=${onRow} />`)}
        </details>
      </section>
    `,
  );
}

/** @param {{ example: TextProblem["examples"][number], onRow: (row: number) => void }} props */
function Example({ example: { row, text, meant }, onRow }) {
  return html`
    <div class="pair">
      <button type="button" class="link" onClick=${() => onRow(row)}>row ${count(row)}</button>
      <p>${text}</p>
      ${meant !== null && html`<span class="muted">probably meant</span><p>${meant}</p>`}
    </div>
  `;
}
