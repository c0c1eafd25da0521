/** Learn's pages: an overview, a page for each concept, finding and status, and lessons. */
import { html } from "htm/preact";
import { TITLES } from "../../stores/learn/index.js";
import { LESSONS } from "../../stores/learn/lessons.js";
import { NotFoundPage } from "../not-found.js";
import { Concept } from "./concept.js";
import { Lesson } from "./lesson.js";
import { Overview } from "./overview.js";

/** @param {{ name: string }} props */
export function LearnPage({ name }) {
  if (name === "" || name === "lessons") return html`<${Overview} />`;
  return Object.hasOwn(TITLES, name) ? html`<${Concept} name=${name} />` : html`<${NotFoundPage} what="This page" />`;
}

/** @param {{ name: string }} props */
export function LessonPage({ name }) {
  const lesson = LESSONS.find((each) => each.name === name);
  return lesson ? html`<${Lesson} lesson=${lesson} />` : html`<${NotFoundPage} what="This lesson" />`;
}
