/** @import { Config } from "../../types.js" */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";
import { runLink } from "../../router.js";

/** Posting, such that a double click or a lost answer makes one run. @param {string | null} from the run that the form was filled in like */
export function useSubmit(from) {
  const busy = useSignal(false);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const attempt = useRef({ body: "", key: "" });
  const started = useRef(false);

  const submit = async (/** @type {Config} */ payload, /** @type {boolean} */ override) => {
    if (busy.value) return;
    const body = JSON.stringify(payload);
    if (attempt.current.body !== body) attempt.current = { body, key: api.idempotencyKey() };
    busy.value = true;
    error.value = null;
    try {
      const run = await api.createRun(payload, attempt.current.key, override, from);
      started.current = true;
      location.hash = runLink(run.id);
    } catch (reason) {
      error.value = /** @type {ApiError} */ (reason);
    }
    busy.value = false;
  };
  return { busy, error, submit, started };
}
