/**
 * Where a run comes from and what was forked from it, as a small tree.
 *
 * @import { Branch } from "../../../stores/lineage.js"
 * @import { Relative } from "../../../types.js"
 */
import { html } from "htm/preact";
import { StatusBadge } from "../../../components/status-badge.js";
import * as format from "../../../format.js";
import { compareLink, runLink } from "../../../router.js";
import { changesText } from "../../../stores/fork.js";
import { treeOf } from "../../../stores/lineage.js";

/** @param {{ own: string, items: Relative[] }} props own: the run whose page this is */
export function LineageCard({ own, items }) {
  const tree = treeOf(items);
  if (!tree || items.length < 2) return null;
  const living = items.filter((item) => item.status !== null).map(({ id }) => id);
  return html`
    <section class="card lineage" aria-label="Family">
      <div class="card-head">
        <h2>Family</h2>
        ${living.length > 1 && html`<a class="push" href=${compareLink(living)}>Compare all</a>`}
      </div>
      <ul><${Node} branch=${tree} own=${own} /></ul>
    </section>
  `;
}

/** @param {{ branch: Branch, own: string }} props */
function Node({ branch, own }) {
  const { id, name, status, origin, children, validation_loss: loss } = branch;
  return html`
    <li>
      <div class="lineage-run" aria-current=${id === own ? "true" : undefined}>
        ${status === null
          ? html`<span>${name}</span> <span class="muted">deleted</span>`
          : html`<a href=${runLink(id)}>${name}</a> <${StatusBadge} status=${status} />`}
        ${loss != null && html`<span class="muted">validation ${format.loss(loss)}</span>`}
      </div>
      ${origin &&
      html`
        <p class="muted">
          ${origin.step == null ? "from the start" : `at step ${format.count(origin.step)}${origin.state === "weights" ? ", weights alone" : ""}`}
          : ${changesText(origin)}
        </p>
      `}
      ${children.length > 0 && html`<ul>${children.map((child) => html`<${Node} key=${child.id} branch=${child} own=${own} />`)}</ul>`}
    </li>
  `;
}
