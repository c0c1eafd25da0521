/**
 * Which column is what, a template over several, and what is rarely needed.
 *
 * @import { Reading } from "../../types.js"
 * @import { Role } from "../../stores/data/reading.js"
 *
 * @typedef {object} Props
 * @property {Reading} reading as it is being chosen
 * @property {string[]} columns of the file; none for a .txt
 * @property {boolean} wrong whether it was refused
 * @property {(reading: Reading) => void} onChange
 */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { isChatOfColumns, madeRole, neededRoles, optionalRoles, readingOf, ROLE_LABELS } from "../../stores/data/reading.js";
import { separatorsOf, switchesOf, variablesAsText, variablesOf } from "../../stores/data/reading-options.js";

/** In place of a column's name. */
const MADE = "\0made of several";
const NONE = "\0none";

/** @param {Props} props */
export function ReadingFields(props) {
  const { reading, columns } = props;
  const made = madeRole(reading);
  return html`
    ${columns.length > 0 &&
    html`
      <div class="reading-columns">
        ${reading.kind === "chat" && columns.length > 1 && html`<${MessagesChoice} ...${props} />`}
        ${neededRoles(reading).map(
          (role) => role !== "messages" || columns.length === 1 ? html`<${ColumnChoice} key=${role} role=${role} ...${props} />` : null,
        )}
      </div>
    `}
    ${made && typeof reading.template === "string" && html`<${Template} ...${props} />`}
    <${More} ...${props} />
  `;
}

/** A column, or a text made of several. @param {Props & { role: Role }} props */
function ColumnChoice({ role, reading, columns, wrong, onChange }) {
  const mayBeMade = role === madeRole(reading) && columns.length > 1;
  const made = mayBeMade && typeof reading.template === "string";
  const choose = (/** @type {string} */ value) => {
    if (value === MADE) return onChange({ ...reading, template: columns.map((column) => `{${column}}`).slice(0, 2).join("\n\n") });
    return onChange({ ...reading, [role]: value, ...(mayBeMade ? { template: null } : {}) });
  };
  return html`
    <${Select}
      label=${ROLE_LABELS[role]}
      value=${made ? MADE : (reading[role] ?? "")}
      options=${[...named(columns, reading[role]), ...(mayBeMade ? [[MADE, "made of several columns …"]] : [])]}
      wrong=${wrong}
      onChange=${choose}
    />
  `;
}

/** A column of messages, or a prompt and a completion. @param {Props} props */
function MessagesChoice({ reading, columns, wrong, onChange }) {
  const choose = (/** @type {string} */ value) =>
    onChange(
      value === MADE
        ? readingOf("chat", columns, { ...reading, messages: null, completion: reading.completion ?? columns.at(-1) })
        : { ...reading, messages: value },
    );
  return html`
    <${Select}
      label=${ROLE_LABELS.messages}
      value=${isChatOfColumns(reading) ? MADE : (reading.messages ?? "")}
      options=${[...named(columns, reading.messages), [MADE, "made of a prompt and a completion …"]]}
      wrong=${wrong}
      onChange=${choose}
    />
  `;
}

/** @param {string[]} columns @param {string | null} [chosen] may be within one: translation.en @returns {[string, string][]} */
function named(columns, chosen) {
  const all = chosen && !columns.includes(chosen) ? [...columns, chosen] : columns;
  return all.map((column) => [column, column]);
}

/**
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.value
 * @param {[string, string][]} props.options
 * @param {boolean} [props.wrong]
 * @param {(value: string) => void} props.onChange
 */
function Select({ label, value, options, wrong, onChange }) {
  return html`
    <label class="stacked">
      <span>${label}</span>
      <select
        value=${value}
        aria-invalid=${wrong ? true : undefined}
        aria-describedby=${wrong ? "reading-error" : undefined}
        onChange=${(/** @type {Event} */ event) => onChange(textOf(event))}
      >
        ${options.map(([option, title]) => html`<option value=${option}>${title}</option>`)}
      </select>
    </label>
  `;
}

/** @param {Event} event */
const textOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {Props} props */
function Template({ reading, columns, onChange }) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const template = reading.template ?? "";
  const set = (/** @type {string} */ text) => onChange({ ...reading, template: text });
  const insert = (/** @type {string} */ column) => {
    const { selectionStart = template.length, selectionEnd = template.length } = area.current ?? {};
    set(`${template.slice(0, selectionStart)}{${column}}${template.slice(selectionEnd)}`);
    area.current?.focus();
  };
  return html`
    <div class="stacked reading-template">
      <label class="stacked">
        <span>${ROLE_LABELS[madeRole(reading) ?? "text"]}, made of</span>
        <textarea
          ref=${area}
          rows="3"
          spellcheck=${false}
          value=${template}
          aria-describedby="template-help"
          onInput=${(/** @type {Event} */ event) => set(textOf(event))}
        />
      </label>
      <div class="actions">
        ${columns.map(
          (column) => html`
            <button type="button" class="button small" aria-label=${`Put in ${column}`} onClick=${() => insert(column)}>{<bdi>${column}</bdi>}</button>
          `,
        )}
      </div>
      <p class="field-help" id="template-help">
        A name in braces is that column's text. A paragraph of which nothing but empty columns would be left is left out.
      </p>
    </div>
  `;
}

/** @param {Props} props */
function More(props) {
  const { reading, columns, onChange } = props;
  const separator = reading.separator ?? null;
  const options = separatorsOf(separator);
  const set = (/** @type {Partial<Reading>} */ changed) => onChange({ ...reading, ...changed });
  return html`
    <details class="reading-more">
      <summary>More choices</summary>
      <div class="reading-columns">
        ${columns.length > 1 &&
        optionalRoles(reading).map(
          (role) => html`
            <${Select}
              key=${role}
              label=${ROLE_LABELS[role]}
              value=${reading[role] ?? NONE}
              options=${[[NONE, "none"], ...named(columns, reading[role])]}
              onChange=${(/** @type {string} */ value) => set({ [role]: value === NONE ? null : value })}
            />
          `,
        )}
        ${reading.kind === "completion" &&
        html`
          <${Select}
            label="Between prompt and completion"
            value=${String(options.findIndex(([value]) => value === separator))}
            options=${options.map(([, title], place) => [String(place), title])}
            onChange=${(/** @type {string} */ place) => set({ separator: options[Number(place)][0] })}
          />
        `}
        ${reading.kind === "chat" && html`<${Variables} ...${props} />`}
      </div>
      ${switchesOf(reading, columns).map(
        ({ name, label, help }) => html`
          <label class="reading-switch" key=${name}>
            <input
              type="checkbox"
              checked=${Boolean(reading[name])}
              onChange=${(/** @type {Event} */ event) => set({ [name]: /** @type {HTMLInputElement} */ (event.target).checked })}
            />
            <span>${label}<span class="field-help">${help}</span></span>
          </label>
        `,
      )}
    </details>
  `;
}

/** @param {Props} props */
function Variables({ reading, onChange }) {
  const typed = useSignal(variablesAsText(reading.chat_template_kwargs ?? {}));
  const { wrong } = variablesOf(typed.value);
  const type = (/** @type {Event} */ event) => {
    typed.value = textOf(event);
    onChange({ ...reading, chat_template_kwargs: variablesOf(typed.value).variables });
  };
  return html`
    <label class="stacked">
      <span>Variables of the chat format</span>
      <textarea rows="2" spellcheck=${false} placeholder="enable_thinking = false" value=${typed.value} onInput=${type} />
      ${wrong !== null && html`<span class="field-error">“${wrong}” is no name = value.</span>`}
    </label>
  `;
}
