/** @import { Config, Preflight } from "../../types.js" */
import { useEffect } from "preact/hooks";
import * as api from "../../server/api.js";
import { useLatest } from "../../components/hooks/use-latest.js";
import { useTask } from "../../components/hooks/use-task.js";

/**
 * What a run would take: renewed as the settings change, and measured when asked for.
 *
 * @param {Config} payload
 */
export function usePreflight(payload) {
  const { name: _, ...deciding } = payload;
  const key = JSON.stringify(deciding);
  const { value, error, busy } = useLatest(key, (signal) => api.preflight(deciding, signal));
  /** @type {ReturnType<typeof useTask<{ text: string }, Preflight>>} */
  const measurement = useTask();

  useEffect(() => {
    measurement.cancel(); // what was being measured is no longer what is asked
    measurement.error.value = null;
  }, [key]);
  useEffect(() => {
    if (measurement.result.value) value.value = measurement.result.value;
  }, [measurement.result.value]);

  const measure = () => measurement.start((signal) => api.measure(deciding, signal));
  return { value, error, busy, measurement, measure };
}
