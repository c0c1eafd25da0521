/** @import { ApiError } from "../../server/requests.js" */
import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useMemo } from "preact/hooks";
import * as api from "../../server/api.js";
import { Icon } from "../../components/icon.js";
import { ErrorNotice } from "../../components/notice.js";
import { runLink } from "../../router.js";
import { toured } from "../../stores/learn/progress.js";

/** The board before anything was ever run. */
export function FirstVisit() {
  const busy = useSignal(false);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const key = useMemo(api.idempotencyKey, []);

  const start = async () => {
    busy.value = true;
    error.value = null;
    try {
      const { presets } = await api.getConfigSchema();
      const sample = presets.find((preset) => preset.id === "sample");
      const run = await api.createRun(sample?.config ?? {}, key);
      location.hash = `${runLink(run.id)}${toured() ? "" : "?tour=1"}`;
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
      busy.value = false;
    }
  };

  return html`
    <section class="empty">
      <h1>Watch a language model learn</h1>
      <p>
        Trainboard trains a model on a text file, shows how it gets better step by step, and lets you talk to the result. The
        sample run teaches a very small model to write short stories. It needs no file, no GPU and no network, and takes
        about a minute.
      </p>
      <div class="actions">
        <button class="button primary large" disabled=${busy.value} onClick=${start}>
          <${Icon} name="play" />${busy.value ? "Starting…" : "Start the sample run"}
        </button>
        <a class="button large" href="#/new">Set up your own</a>
        <a class="button large" href="#/learn">Learn how it works</a>
      </div>
      <${ErrorNotice} error=${error.value} />
    </section>
  `;
}
