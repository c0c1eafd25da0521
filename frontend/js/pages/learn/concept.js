/**
 * One page of Learn: what something is, what it is like, its formula, a figure to try, and where one's own run shows it.
 *
 * @import { Run, System } from "../../types.js"
 * @import { Page } from "./content.js"
 */
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { ErrorNotice } from "../../components/notice.js";
import { useLatest } from "../../components/hooks/use-latest.js";
import { Icon } from "../../components/icon.js";
import { learnLink, lessonLink } from "../../router.js";
import { getSystem, listRuns } from "../../server/api.js";
import { NO_FILTER } from "../../stores/board-filter.js";
import { FIGURES_TO_TRY } from "../../stores/learn/figures.js";
import { GROUPS, TITLES } from "../../stores/learn/index.js";
import { LESSONS } from "../../stores/learn/lessons.js";
import { placeOf } from "../../stores/learn/opens.js";
import { CONTENT } from "./content.js";
import { ToyFigure } from "./figure.js";

/** @param {{ name: string }} props */
export function Concept({ name }) {
  const page = CONTENT[name];
  const title = TITLES[name];
  const [, group] = /** @type {typeof GROUPS[number]} */ (GROUPS.find(([, , pages]) => name in pages));
  const lesson = LESSONS.find((each) => each.name === page.lesson);
  useEffect(() => {
    document.title = `${title} · Learn · Trainboard`;
  }, [title]);
  return html`
    <article class="learn">
      <p class="crumbs"><a href="#/learn">Learn</a> <span aria-hidden="true">›</span> ${group}</p>
      <h1>${title}</h1>
      <p class="learn-about">${page.about}</p>
      ${page.analogy && html`<p class="learn-analogy"><strong>Think of it like this.</strong> ${page.analogy}</p>`}
      ${page.figure && html`<${ToyFigure} key=${page.figure} toy=${FIGURES_TO_TRY[page.figure]} />`}
      ${page.formula && html`<${Formula} formula=${page.formula} />`}
      ${page.see && html`<section><h2>How to see it here</h2><ul class="learn-list">${page.see.map((each) => html`<li key=${each}>${each}</li>`)}</ul></section>`}
      ${page.remedies && html`<${Remedies} page=${page} />`}
      ${(page.opens || lesson) &&
      html`
        <section class="learn-own">
          ${page.opens && html`<${OwnRun} opens=${page.opens} />`}
          ${lesson &&
          html`<p><a class="button" href=${lessonLink(lesson.name)}><${Icon} name="play" />Lesson: ${lesson.title}</a> <span class="muted">Guess first, then see it happen.</span></p>`}
        </section>
      `}
      ${page.also &&
      html`
        <nav class="learn-also" aria-label="Related">
          <span class="muted">Related</span>
          ${page.also.map((each) => html`<a key=${each} href=${learnLink(each)}>${TITLES[each]}</a>`)}
        </nav>
      `}
    </article>
  `;
}

/** @param {{ formula: NonNullable<Page["formula"]> }} props */
function Formula({ formula }) {
  return html`
    <section>
      <h2>As a formula</h2>
      <div class="learn-formula" tabindex="0" role="group" aria-label="Formula" dangerouslySetInnerHTML=${{ __html: formula.math }}></div>
      <p class="muted">${formula.words}</p>
    </section>
  `;
}

/** What to do; what is said in this machine's numbers comes with them. @param {{ page: Page }} props */
function Remedies({ page: { remedies = [], see, analogy } }) {
  const machine = useLatest(remedies.some((each) => typeof each === "function") ? "machine" : null, getSystem).value.value;
  const lines = remedies.flatMap((each) => {
    if (typeof each === "string") return [each];
    return machine ? [each(/** @type {System} */ (machine))] : [];
  });
  if (lines.length === 0) return null;
  return html`
    <section>
      <h2>${see || !analogy ? "What to do" : "On this machine"}</h2>
      <ul class="learn-list">${lines.map((each) => html`<li key=${each}>${each}</li>`)}</ul>
    </section>
  `;
}

/** @param {{ opens: string }} props */
function OwnRun({ opens }) {
  const { value, error } = useLatest("newest", () => listRuns(NO_FILTER, 1, null));
  if (error.value) return html`<${ErrorNotice} error=${error.value} />`;
  if (!value.value) return null;
  const run = /** @type {Run | undefined} */ (value.value.items[0]);
  if (!run) {
    return html`<p><a class="button" href="#/">Start the sample run</a> <span class="muted">Then this page leads to where your run shows it.</span></p>`;
  }
  const { label, href } = placeOf(opens, run);
  return html`
    <p><a class="button primary" href=${href}>${label}</a> <span class="muted">in your newest run, “${run.name}”</span></p>
  `;
}
