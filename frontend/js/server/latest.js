/** Of requests that follow each other quickly only the newest matters: it waits for a pause, and ends the one under way. */
export class Latest {
  #timer = 0;
  /** @type {AbortController | null} */
  #aborter = null;

  /**
   * @template R
   * @param {number} wait milliseconds; none of the requests before is answered any more
   * @param {(signal: AbortSignal) => Promise<R>} work
   * @param {(result: R) => void} onResult
   * @param {(error: unknown) => void} onError
   */
  ask(wait, work, onResult, onError) {
    this.cancel();
    const { signal } = (this.#aborter = new AbortController());
    const take = (/** @type {(value: any) => void} */ on) => (/** @type {any} */ value) => {
      if (!signal.aborted) on(value);
    };
    this.#timer = setTimeout(() => work(signal).then(take(onResult), take(onError)), wait);
  }

  cancel() {
    clearTimeout(this.#timer);
    this.#aborter?.abort();
  }
}
