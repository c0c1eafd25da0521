/**
 * One prompt at each checkpoint of a run, one after another.
 *
 * @import { Checkpoint, GenerateRequest } from "../../types.js"
 *
 * @typedef {{ model: string, step: number, kind: string, loss: number | null, answer: Answer }} Stop
 */
import { computed, signal } from "@preact/signals";
import * as api from "../../server/api.js";
import { Answer } from "./answer.js";

export class Sweep {
  constructor() {
    this.run = signal("");
    this.stops = signal(/** @type {Stop[]} */ ([]));
    /** Which of them is looked at. */
    this.at = signal(0);
    this.error = signal(/** @type {api.ApiError | null} */ (null));
    this.going = signal(false);
    this.done = computed(() => this.stops.value.filter(({ answer }) => answer.end.value || answer.error.value).length);
  }

  /** @param {string} run id */
  async choose(run) {
    this.cancel();
    this.run.value = run;
    this.stops.value = [];
    this.error.value = null;
    try {
      const { items } = await api.getCheckpoints(run);
      if (this.run.value !== run) return;
      this.stops.value = stopsOf(items);
      this.at.value = Math.max(0, this.stops.value.length - 1);
    } catch (reason) {
      if (!(reason instanceof api.ApiError)) throw reason;
      this.error.value = reason;
    }
  }

  /** From the first to the last; the one that writes is looked at. @param {(model: string) => GenerateRequest} requestFor */
  async start(requestFor) {
    const stops = (this.stops.value = this.stops.value.map((each) => ({ ...each, answer: new Answer(each.model) })));
    this.going.value = true;
    for (const [place, { model, answer }] of stops.entries()) {
      if (!this.going.value || this.stops.value !== stops) return;
      this.at.value = place;
      await answer.ask(requestFor(model));
    }
    this.going.value = false;
  }

  cancel() {
    this.going.value = false;
    for (const { answer } of this.stops.value) answer.stop();
  }
}

/** @param {Checkpoint[]} checkpoints @returns {Stop[]} by step; of two at one step the later one, as the final model */
export function stopsOf(checkpoints) {
  const byStep = new Map(
    checkpoints.filter(({ model }) => model).map(({ model, step, kind, validation_loss: loss }) => [
      step,
      { model: /** @type {string} */ (model), step, kind, loss: loss ?? null, answer: new Answer(/** @type {string} */ (model)) },
    ]),
  );
  return [...byStep.values()].sort((a, b) => a.step - b.step);
}
