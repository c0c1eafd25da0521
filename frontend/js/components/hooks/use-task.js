/** @import { Signal } from "@preact/signals" */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ApiError } from "../../server/requests.js";

/**
 * Longer work of the server, one at a time, that tells how far it is and can be cancelled. Leaving the page cancels it.
 *
 * @template P, R what `progress` and `done` carry
 * @returns {{
 *   busy: Signal<boolean>,
 *   progress: Signal<P | null>,
 *   result: Signal<R | null>,
 *   error: Signal<ApiError | null>,
 *   start: (begin: (signal: AbortSignal) => AsyncGenerator<{ type: string, data: any }>) => Promise<void>,
 *   cancel: () => void,
 * }} the result of the work before stays until the next one is there
 */
export function useTask() {
  const busy = useSignal(false);
  const progress = useSignal(/** @type {P | null} */ (null));
  const result = useSignal(/** @type {R | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const current = useRef(/** @type {AbortController | null} */ (null));

  const cancel = () => {
    current.current?.abort();
    current.current = null;
    busy.value = false;
  };
  useEffect(() => cancel, []);

  /** @param {(signal: AbortSignal) => AsyncGenerator<{ type: string, data: any }>} begin */
  const start = async (begin) => {
    cancel();
    const { signal } = (current.current = new AbortController());
    busy.value = true;
    progress.value = null;
    error.value = null;
    try {
      for await (const { type, data } of begin(signal)) {
        if (type === "progress") progress.value = data;
        else if (type === "done") result.value = data;
      }
    } catch (reason) {
      if (signal.aborted) return;
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    }
    if (!signal.aborted) busy.value = false;
  };
  return { busy, progress, result, error, start, cancel };
}
