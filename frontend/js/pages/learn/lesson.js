/**
 * One lesson: a guess, the runs that answer it, and what happened beside the guess.
 *
 * @import { Lesson as LessonData } from "../../stores/learn/lessons.js"
 */
import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import { CopyButton } from "../../components/copy-button.js";
import { Icon } from "../../components/icon.js";
import { ErrorNotice } from "../../components/notice.js";
import { Progress } from "../../components/progress.js";
import { StatusBadge } from "../../components/status-badge.js";
import { count } from "../../format.js";
import { compareLink, learnLink, lessonLink, runLink } from "../../router.js";
import { TITLES } from "../../stores/learn/index.js";
import { LessonStore } from "../../stores/learn/lesson-store.js";
import { LESSONS } from "../../stores/learn/lessons.js";
import { progress } from "../../stores/run-state.js";
import { LessonCurves } from "./lesson-curves.js";

/** @param {{ lesson: LessonData }} props */
export function Lesson({ lesson }) {
  const store = useMemo(() => new LessonStore(lesson), [lesson]);
  useEffect(() => {
    document.title = `${lesson.title} · Learn · Trainboard`;
    store.open();
    return () => store.close();
  }, [store]);
  const begun = store.busy.value || store.runs.value.length > 0;
  return html`
    <article class="learn lesson">
      <p class="crumbs"><a href="#/learn">Learn</a> <span aria-hidden="true">›</span> Lesson ${LESSONS.indexOf(lesson) + 1} of ${LESSONS.length}</p>
      <div class="page-head">
        <h1>${lesson.title}</h1>
        <span class="push"><${CopyButton} text=${`${location.origin}/${lessonLink(lesson.name)}`} label="Copy link" /></span>
      </div>
      <p class="learn-about">${lesson.story}</p>
      <${Guess} lesson=${lesson} store=${store} fixed=${begun} />
      <${ErrorNotice} error=${store.error.value} />
      ${begun && html`<${Watch} lesson=${lesson} store=${store} />`}
      ${store.outcome.value && html`<${Outcome} lesson=${lesson} store=${store} />`}
      ${store.broken.value && html`<${Broken} store=${store} />`}
    </article>
  `;
}

/** @param {{ lesson: LessonData, store: LessonStore, fixed: boolean }} props */
function Guess({ lesson, store, fixed }) {
  const guess = store.guess.value;
  return html`
    <section class="card guess">
      <fieldset disabled=${fixed}>
        <legend><strong>What do you think?</strong> ${lesson.question}</legend>
        ${lesson.choices.map(
          ([id, text]) => html`
            <label key=${id} class="choice" data-true=${store.outcome.value === id ? "yes" : undefined}>
              <input type="radio" name="guess" value=${id} checked=${guess === id} onChange=${() => store.choose(id)} />
              <span>${text}</span>
              ${fixed && guess === id && html`<span class="tag">your guess</span>`}
              ${store.outcome.value === id && html`<span class="tag tag-good"><${Icon} name="check" /> what happened</span>`}
            </label>
          `,
        )}
      </fieldset>
      ${!fixed &&
      html`
        <div class="actions">
          <button type="button" class="button primary" disabled=${!guess} onClick=${() => store.start()}><${Icon} name="play" />Watch it happen</button>
          <span class="muted">${guess ? `Starts ${lesson.runs.length === 1 ? "a real run" : "two real runs"} on this machine, for less than a minute.` : "Choose first; a wrong guess teaches most."}</span>
        </div>
      `}
    </section>
  `;
}

/** @param {{ lesson: LessonData, store: LessonStore }} props */
function Watch({ lesson, store }) {
  return html`
    <section class="card" aria-label="What happens">
      <ol class="lesson-runs">
        ${lesson.runs.map(({ title }, i) => {
          const run = store.runs.value[i];
          return html`
            <li key=${title}>
              ${run ? html`<a href=${runLink(run.id)}>${title}</a> <${StatusBadge} status=${run.status} />` : html`<span class="muted">${title}: ${i === store.runs.value.length ? "getting ready" : "comes next"}</span>`}
              ${run && run.total_steps !== null && html`<span class="muted">step ${count(run.step)} of ${count(run.total_steps)}</span>`}
              ${run && html`<${Progress} share=${progress(run)} label=${`Progress of ${title}`} />`}
            </li>
          `;
        })}
      </ol>
      <p class="muted">Loss by step; lower is better.</p>
      <${LessonCurves} lesson=${lesson} results=${store.results} done=${store.outcome.value !== null} />
    </section>
  `;
}

/** @param {{ lesson: LessonData, store: LessonStore }} props */
function Outcome({ lesson, store }) {
  const outcome = /** @type {string} */ (store.outcome.value);
  const right = store.guess.value === outcome;
  const usual = outcome === lesson.expected;
  const next = LESSONS[LESSONS.indexOf(lesson) + 1];
  const runs = store.runs.value.map(({ id }) => id);
  return html`
    <section class="card outcome" role="status">
      <h2>${right ? "You guessed right." : "It came out differently."}</h2>
      <p>${lesson.tells(store.results.value)}</p>
      ${usual
        ? html`<p><strong>Why?</strong> ${lesson.why}</p>`
        : html`
            <p>
              <strong>This run did not go as it usually does.</strong> Mostly the answer is
              “${lesson.choices.find(([id]) => id === lesson.expected)?.[1]}” Training has chance in it: its data’s order, its first
              weights. ${lesson.why}
            </p>
          `}
      <div class="actions">
        ${next && html`<a class="button primary" href=${lessonLink(next.name)}>Next: ${next.title}</a>`}
        <a class="button" href=${learnLink(lesson.page)}>Read about ${TITLES[lesson.page].toLowerCase()}</a>
        ${runs.length > 1 && html`<a class="button" href=${compareLink(runs)}>Compare the runs</a>`}
        <button type="button" class="button" onClick=${() => store.again()}><${Icon} name="again" />Again</button>
      </div>
    </section>
  `;
}

/** @param {{ store: LessonStore }} props */
function Broken({ store }) {
  const run = /** @type {import("../../types.js").Run} */ (store.broken.value);
  return html`
    <section class="card outcome" role="status">
      <h2>The lesson ended early</h2>
      <p>“${run.name}” ${run.status === "stopped" ? "was stopped" : "did not complete"}. ${run.reason}</p>
      <button type="button" class="button" onClick=${() => store.again()}><${Icon} name="again" />Begin again</button>
    </section>
  `;
}
