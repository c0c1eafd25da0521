/**
 * @param {() => Promise<void>} work
 * @returns {() => Promise<void>} calls `work`; calls made meanwhile lead to one more round, not to one each
 */
export function coalesce(work) {
  /** @type {Promise<void> | null} */
  let running = null;
  let again = false;
  const loop = async () => {
    try {
      do {
        again = false;
        await work();
      } while (again);
    } finally {
      running = null;
    }
  };
  return () => {
    again = running !== null;
    running ??= loop();
    return running;
  };
}
