/** @import { ComponentChildren } from "preact" */
import { html } from "htm/preact";
import { Icon } from "./icon.js";

/**
 * @param {object} props
 * @param {"error" | "warning" | "good" | "plain"} props.tone
 * @param {string} [props.title]
 * @param {ComponentChildren} props.children
 */
export function Notice({ tone, title, children }) {
  const icon = { error: "cross", warning: "warning", good: "check", plain: "info" }[tone];
  return html`
    <div class="notice" data-tone=${tone} role=${tone === "error" ? "alert" : "status"}>
      <${Icon} name=${icon} />
      <div>
        ${title && html`<strong>${title}</strong>`}
        <div>${children}</div>
      </div>
    </div>
  `;
}

/** @param {{ error: { message: string, hint?: string | null } | null }} props */
export function ErrorNotice({ error }) {
  if (!error) return null;
  return html`<${Notice} tone="error">${error.message}${error.hint && html` <span class="muted">${error.hint}</span>`}<//>`;
}

/** What there is to know, a sentence each. @param {{ notes: string[] }} props */
export function Notes({ notes }) {
  if (notes.length === 0) return null;
  return html`<ul class="notes">${notes.map((note) => html`<li key=${note}><${Icon} name="info" /> ${note}</li>`)}</ul>`;
}
