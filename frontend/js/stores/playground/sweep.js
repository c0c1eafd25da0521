/**
 * One prompt at each checkpoint of a run, one after another.
 *
 * @import { Checkpoint, GenerateRequest } from "../../types.js"
 *
 * @typedef {Checkpoint & { model: string, answer: Answer }} Stop
 */
import { computed, signal } from "@preact/signals";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";
import { Answer } from "./answer.js";
import { modelsByStep } from "./run-models.js";

export class Sweep {
  constructor() {
    this.run = signal("");
    this.stops = signal(/** @type {Stop[]} */ ([]));
    /** Which of them is looked at. */
    this.at = signal(0);
    this.error = signal(/** @type {ApiError | null} */ (null));
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
      this.stops.value = modelsByStep(items).map((each) => ({ ...each, answer: new Answer(each.model) }));
      this.at.value = Math.max(0, this.stops.value.length - 1);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
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
    if (this.stops.value === stops) this.going.value = false;
  }

  cancel() {
    this.going.value = false;
    for (const { answer } of this.stops.value) answer.stop();
  }
}
