/** Asks for the tour again, on the newest run, or where the first one is started. */
import { html } from "htm/preact";
import { useLatest } from "../../components/hooks/use-latest.js";
import { runLink } from "../../router.js";
import { listRuns } from "../../server/api.js";
import { NO_FILTER } from "../../stores/board-filter.js";

export function TourButton() {
  const { value } = useLatest("newest", () => listRuns(NO_FILTER, 1, null));
  const run = value.value?.items[0];
  if (!value.value) return null;
  return html`<a class="button push" href=${run ? `${runLink(run.id)}?tour=1` : "#/"}>Take the tour of a run</a>`;
}
