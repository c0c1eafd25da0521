/**
 * A lesson's curves in one chart, with who is who.
 *
 * @import { ReadonlySignal } from "@preact/signals"
 * @import { Lesson, Result } from "../../stores/learn/lessons.js"
 */
import { useComputed, useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { COLOURS, dashOf } from "../../charts/overlay-draw.js";
import { OverlayChart } from "../../charts/overlay-chart.js";
import { count, loss } from "../../format.js";

/** @param {{ lesson: Lesson, results: ReadonlySignal<Result[]>, done: boolean }} props */
export function LessonCurves({ lesson, results, done }) {
  const nothing = useSignal(/** @type {import("../../charts/overlay-draw.js").Item[]} */ ([]));
  const items = useComputed(() =>
    lesson.curves.map(({ run, of, title }, look) => {
      const points = results.value[run]?.[of] ?? [];
      return { key: title, look, x: points.map(([step]) => step), y: points.map(([, value]) => value) };
    }),
  );
  return html`
    <${OverlayChart}
      key=${done ? "still" : "live"}
      label=${`Loss by step: ${lesson.curves.map(({ title }) => title).join(", ")}`}
      still=${done ? items : nothing}
      live=${done ? nothing : items}
      log=${false}
      formatX=${count}
      onCursor=${() => {}}
    />
    <ul class="lesson-key">
      ${items.value.map(
        ({ key, look, y }) => html`
          <li key=${key}>
            <svg class=${`line-${look % COLOURS}`} viewBox="0 0 28 8" aria-hidden="true">
              <path d="M0 4H28" stroke-dasharray=${dashOf(look).join(" ") || null} />
            </svg>
            ${key} <span class="number muted">${y.length ? loss(y[y.length - 1]) : ""}</span>
          </li>
        `,
      )}
    </ul>
  `;
}
