import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/**
 * @param {number} every milliseconds
 * @returns {Date} the present, moving on by itself
 */
export function useNow(every) {
  const now = useSignal(new Date());
  useEffect(() => {
    const timer = setInterval(() => (now.value = new Date()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now.value;
}
