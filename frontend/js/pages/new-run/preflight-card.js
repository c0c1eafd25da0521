/**
 * What the run would take, live.
 *
 * @import { Forecast, Preflight } from "../../types.js"
 * @import { FormField } from "../../stores/form.js"
 */
import { html } from "htm/preact";
import { Explained } from "../../components/explained.js";
import { Icon } from "../../components/icon.js";
import { ErrorNotice } from "../../components/notice.js";
import { Pair } from "../../components/pair.js";
import * as format from "../../format.js";
import { factsOf, passesOf, stepTime, timeOf } from "../../stores/preflight.js";
import { MemoryBar } from "./memory-bar.js";

const FIRST_LOOK = "The first look at the data, the model and this machine takes up to half a minute.";

/**
 * @param {object} props
 * @param {ReturnType<typeof import("./use-preflight.js").usePreflight>} props.preflight
 * @param {FormField[]} props.fields
 * @param {(field: string) => void} props.onReveal
 */
export function PreflightCard({ preflight: { value, error, busy, measurement, measure }, fields, onReveal }) {
  const preflight = value.value;
  return html`
    <section class="card preflight" aria-labelledby="preflight-title" aria-busy=${busy.value}>
      <div class="card-head">
        <h2 id="preflight-title">What it will take</h2>
        <span class="muted push" role="status">
          ${busy.value ? "Working it out…" : preflight && !error.value && `${preflight.device}, ${preflight.precision}`}
        </span>
      </div>
      ${error.value && !busy.value && html`<${NoForecast} error=${error.value} fields=${fields} onReveal=${onReveal} />`}
      ${!preflight && busy.value && html`<p class="muted">${FIRST_LOOK}</p>`}
      ${preflight &&
      !error.value &&
      html`
        <div class=${busy.value ? "stale" : ""}>
          <${MemoryBar} preflight=${preflight} />
          <${Time} preflight=${preflight} />
          <dl class="forecast">
            ${factsOf(preflight).map(
              ([label, text, note, number]) => html`
                <div key=${label}><dt><${Explained} number=${number}>${label}<//></dt><dd>${text} <small>${note}</small></dd></div>
              `,
            )}
          </dl>
          <${Mixture} preflight=${preflight} />
        </div>
        <${Measurement} measurement=${measurement} preflight=${preflight} onMeasure=${measure} disabled=${busy.value} />
        <${Problems} preflight=${preflight} fields=${fields} onReveal=${onReveal} />
      `}
    </section>
  `;
}

/** @param {{ error: import("../../server/requests.js").ApiError, fields: FormField[], onReveal: (field: string) => void }} props */
function NoForecast({ error, fields, onReveal }) {
  const field = error.status === 422 && fields.find((each) => each.name === error.field?.split(".")[0]);
  if (!field) return html`<${ErrorNotice} error=${error} />`;
  return html`
    <p class="muted">
      This can be told once${" "}
      <button type="button" class="link" onClick=${() => onReveal(field.name)}>${field.label}</button> can be used.
    </p>
  `;
}

/** @param {Forecast} forecast */
const evaluationsOf = ({ evaluation_seconds: seconds }) =>
  seconds >= 1 ? `, ${format.duration(seconds)} of it for evaluations` : "";

/** @param {{ preflight: Preflight }} props */
function Time({ preflight }) {
  const { measured, formula } = preflight;
  if (!measured) {
    return html`
      <p class="forecast-time">
        <strong data-explain="forecast_time">${timeOf(formula)}</strong>${" "}
        <span class="muted">
          of training, ${stepTime(formula.step_seconds)} per update${evaluationsOf(formula)}; samples and saving come on top
        </span>
      </p>
    `;
  }
  const rows = /** @type {[string, (forecast: Forecast) => string][]} */ ([
    ["Training time", (forecast) => format.duration(forecast.total_seconds)],
    ["Per update", (forecast) => stepTime(forecast.step_seconds)],
    ["Memory", (forecast) => format.bytes(forecast.peak_memory_bytes)],
  ]);
  return html`
    <table class="compare">
      <thead><tr><td></td><th scope="col">measured</th><th scope="col">by formula</th></tr></thead>
      <tbody>
        ${rows.map(
          ([label, show]) => html`<tr><th scope="row">${label}</th><td>${show(measured)}</td><td>${show(formula)}</td></tr>`,
        )}
      </tbody>
    </table>
  `;
}

/** What an epoch takes of each dataset, where there are several. @param {{ preflight: Preflight }} props */
function Mixture({ preflight: { mixture } }) {
  if (mixture.length === 0) return null;
  return html`
    <table class="compare">
      <thead><tr><th scope="col">An epoch takes of</th><th scope="col">tokens</th><th scope="col">of what it has</th></tr></thead>
      <tbody>
        ${mixture.map(
          ({ name, tokens, share, passes }, place) => html`
            <tr key=${name}>
              <th scope="row">${place === 0 ? "the dataset itself" : name}</th>
              <td>${format.short(tokens)} (${format.percent(100 * share)})</td>
              <td>${passesOf(passes)}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

/**
 * @param {object} props
 * @param {ReturnType<typeof import("./use-preflight.js").usePreflight>["measurement"]} props.measurement
 * @param {Preflight} props.preflight
 * @param {() => void} props.onMeasure
 * @param {boolean} props.disabled
 */
function Measurement({ measurement: { busy, progress, error, cancel }, preflight, onMeasure, disabled }) {
  return html`
    <div class="actions measure">
      ${busy.value
        ? html`
            <button type="button" class="button small" onClick=${cancel}>Cancel</button>
            <span class="muted" role="status">${progress.value?.text ?? "Starting a trial"}</span>
          `
        : html`
            <button type="button" class="button small" disabled=${disabled} onClick=${onMeasure}>
              ${preflight.measured ? "Measure again" : "Measure it"}
            </button>
            ${!preflight.measured && html`<span class="muted">A few real updates on ${preflight.device}</span>`}
          `}
    </div>
    <${ErrorNotice} error=${error.value} />
  `;
}

/**
 * What to look at. What keeps the run from starting stands at the start button.
 *
 * @param {{ preflight: Preflight, fields: FormField[], onReveal: (field: string) => void }} props
 */
function Problems({ preflight, fields, onReveal }) {
  const problems = preflight.problems.filter((problem) => !problem.blocking);
  if (problems.length === 0) return null;
  return html`
    <ul class="problems" aria-label="What to look at">
      ${problems.map(({ field: name, message, hint }) => {
        const field = fields.find((each) => each.name === name);
        return html`
          <li>
            <${Icon} name="warning" />
            <div>
              ${message} ${hint && html`<span class="muted">${hint}</span>`}${" "}
              ${field &&
              html`<button type="button" class="link" onClick=${() => onReveal(field.name)}>${field.label}</button>`}
              ${name === "validation_dataset" && preflight.leaks.length > 0 && html`<${Leaks} pairs=${preflight.leaks} />`}
            </div>
          </li>
        `;
      })}
    </ul>
  `;
}

/** @param {{ pairs: Preflight["leaks"] }} props */
function Leaks({ pairs }) {
  return html`
    <details>
      <summary>Examples that leak</summary>
      ${pairs.map((pair) => html`<${Pair} key=${pair.rows.map(({ row }) => row).join()} pair=${pair} />`)}
    </details>
  `;
}
