/** @import { Signal } from "@preact/signals" */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { ApiError } from "../../server/requests.js";
import { Latest } from "../../server/latest.js";

const PAUSE_MS = 400;

/**
 * An answer of the server that follows what is asked. While a new one is on its way the old one stays.
 *
 * @template T
 * @param {string | null} key what is asked; the server is asked again when it changes, and not at all for null
 * @param {(signal: AbortSignal) => Promise<T>} work
 * @returns {{ value: Signal<T | null>, error: Signal<ApiError | null>, busy: Signal<boolean> }}
 */
export function useLatest(key, work) {
  const value = useSignal(/** @type {T | null} */ (null));
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const busy = useSignal(key !== null);
  const latest = useMemo(() => new Latest(), []);
  const asked = useRef(false);

  useEffect(() => {
    busy.value = key !== null;
    if (key === null) return latest.cancel();
    const onResult = (/** @type {T} */ result) => {
      value.value = result;
      error.value = null;
      busy.value = false;
    };
    const onError = (/** @type {unknown} */ reason) => {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      busy.value = false;
    };
    latest.ask(asked.current ? PAUSE_MS : 0, work, onResult, onError);
    asked.current = true;
  }, [key]);
  useEffect(() => () => latest.cancel(), []);
  return { value, error, busy };
}
