/** All pages of Learn, and the lessons with how far the reader is. */
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { Icon } from "../../components/icon.js";
import { learnLink, lessonLink } from "../../router.js";
import { GROUPS, TITLES } from "../../stores/learn/index.js";
import { LESSONS } from "../../stores/learn/lessons.js";
import { progressOf } from "../../stores/learn/progress.js";
import { QUESTIONS } from "../../stores/learn/questions.js";
import { TourButton } from "./tour-button.js";

/** What to read first, in this order. */
const FIRST = ["tokens", "forward_pass", "loss", "backward_pass"];

/** Pages of a group that take a card of their own width. */
const MANY = 20;

export function Overview() {
  useEffect(() => {
    document.title = "Learn · Trainboard";
  }, []);
  return html`
    <div class="page-head">
      <h1>Learn</h1>
      <${TourButton} />
    </div>
    <p class="lead">
      What happens when a language model learns, in short pages with something to try.
      New to it? Read ${FIRST.map((name, i) => html`${i > 0 && (i < FIRST.length - 1 ? ", " : " and ")}<a href=${learnLink(name)}>${TITLES[name]}</a>`)},
      then take the first lesson.
    </p>
    <section class="card learn-lessons">
      <div class="card-head"><h2>Lessons</h2><span class="muted">Say what will happen, then watch a real run. Under a minute each.</span></div>
      <ol>
        ${LESSONS.map((lesson) => html`<${LessonCard} key=${lesson.name} lesson=${lesson} />`)}
      </ol>
    </section>
    <section class="card learn-many learn-questions" aria-labelledby="questions">
      <h2 id="questions">What people ask</h2>
      <ul>
        ${QUESTIONS.map(([question, page]) => html`<li key=${question}><a href=${learnLink(page)}>${question}</a></li>`)}
      </ul>
    </section>
    <div class="learn-groups">
      ${GROUPS.map(
        ([id, title, pages]) => html`
          <section key=${id} class="card ${Object.keys(pages).length > MANY ? "learn-many" : ""}" aria-labelledby=${`group-${id}`}>
            <h2 id=${`group-${id}`}>${title}</h2>
            <ul>
              ${Object.entries(pages).map(([name, page]) => html`<li key=${name}><a href=${learnLink(name)}>${page}</a></li>`)}
            </ul>
          </section>
        `,
      )}
    </div>
  `;
}

/** @param {{ lesson: typeof LESSONS[number] }} props */
function LessonCard({ lesson }) {
  const { ended } = progressOf(lesson.name);
  return html`
    <li>
      <a href=${lessonLink(lesson.name)}>
        <strong>${lesson.title}</strong>
        <span class="muted">${lesson.teaser}</span>
        ${ended && html`<span class="tag"><${Icon} name="check" /> done</span>`}
      </a>
    </li>
  `;
}
