/**
 * All that the page of one run shows, kept current by one stream.
 *
 * @import { Checkpoint, EvaluationEvent, HeldFinding, MessageEvent, Run, RunEvent, Sample } from "../types.js"
 * @import { Connection } from "../server/stream.js"
 */
import { batch, signal } from "@preact/signals";
import { appendEvents, emptySeries, fromSnapshot } from "../charts/series.js";
import { Zoom } from "../charts/zoom.js";
import * as api from "../server/api.js";
import { ApiError, RETRY_MS } from "../server/requests.js";
import { coalesce } from "../server/coalesce.js";
import { Stream } from "../server/stream.js";
import { InsideStore } from "./inside-store.js";
import { announce, warn } from "./notifications.js";
import { answersOf } from "./run-answers.js";
import { applyEvent, hasEnded, mergeSnapshot } from "./run-state.js";

export class RunStore {
  run = signal(/** @type {Run | null} */ (null));
  series = signal(emptySeries());
  samples = signal(/** @type {Sample[]} */ ([]));
  checkpoints = signal(/** @type {Checkpoint[]} */ ([]));
  /** Only of a run that evaluates on further datasets, or learns from several. */
  evaluations = signal(/** @type {EvaluationEvent[]} */ ([]));
  messages = signal(/** @type {MessageEvent[]} */ ([]));
  /** Those that hold, the worst first. */
  findings = signal(/** @type {HeldFinding[]} */ ([]));
  connection = signal(/** @type {Connection} */ ("connecting"));
  /** Why the page could not be loaded. */
  error = signal(/** @type {ApiError | null} */ (null));
  zoom;
  inside;
  refreshRun;
  refreshCheckpoints;
  refreshFindings;
  id;
  /** @type {Stream | null} */
  #stream = null;
  #retry = 0;
  #closed = false;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.zoom = new Zoom(id);
    this.inside = new InsideStore(id);
    this.refreshRun = coalesce(() => this.#refresh(async () => this.take(await api.getRun(id))));
    this.refreshCheckpoints = coalesce(() =>
      this.#refresh(async () => {
        this.checkpoints.value = (await api.getCheckpoints(id)).items;
      }),
    );
    this.refreshFindings = coalesce(() =>
      this.#refresh(async () => {
        this.findings.value = (await api.getFindings(id)).items;
      }),
    );
  }

  async open() {
    try {
      const { series, run, samples, checkpoints, messages, findings, cursor } = await answersOf(this.id);
      batch(() => {
        this.series.value = fromSnapshot(series);
        this.samples.value = samples.items;
        this.checkpoints.value = checkpoints.items;
        this.messages.value = messages.items;
        this.findings.value = findings.items;
        this.take(run);
        this.error.value = null;
      });
      if ([run.config.evaluation_datasets, run.config.mixture].some((names) => Array.isArray(names) && names.length > 0)) {
        this.evaluations.value = (await api.getEvaluations(this.id)).items.reduce(withEvaluation, []);
      }
      if (!this.#closed) this.#follow(cursor); // unless the visitor has already left
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error.value = error;
      if (error.passing && !this.#closed) this.#retry = setTimeout(() => this.open(), RETRY_MS);
    }
  }

  /** @param {api.RunAction} action @throws {ApiError} */
  async act(action) {
    this.take(await api.actOnRun(this.id, action));
    if (this.connection.value === "ended") this.#follow(this.series.value.cursor); // an ended run may have been asked to go on
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#stream?.close();
    this.zoom.close();
    this.inside.close();
  }

  /** @param {Run} snapshot */
  take(snapshot) {
    this.run.value = mergeSnapshot(this.run.value, snapshot);
  }

  /** @param {() => Promise<void>} work */
  async #refresh(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Gone: say so. Anything else: what is shown stays, and the connection's state tells that it may be old.
      if (error.status === 404) this.error.value = error;
    }
  }

  /** @param {number} cursor the older of what is shown: each part passes over what it already has */
  #follow(cursor) {
    const run = /** @type {Run} */ (this.run.value);
    if (hasEnded(run.status)) {
      this.connection.value = "ended";
      return;
    }
    this.#stream = new Stream(`/api/runs/${encodeURIComponent(this.id)}/stream`, cursor, {
      onEvents: (events) => batch(() => this.#apply(events)),
      onConnection: (connection) => (this.connection.value = connection),
      onEnd: () => Promise.all([this.refreshRun(), this.refreshCheckpoints()]),
    });
  }

  /** @param {RunEvent[]} events */
  #apply(events) {
    const before = /** @type {Run} */ (this.run.value);
    for (const event of events) if (event.type === "finding") warn(before, event);
    announce(before, (this.run.value = events.reduce(applyEvent, before)));
    this.series.value = appendEvents(this.series.value, events);
    this.zoom.append(events);
    this.inside.note(events);
    for (const event of events) {
      if (event.type === "sample") this.#addSample(event);
      else if (event.type === "evaluation") this.evaluations.value = withEvaluation(this.evaluations.value, event);
      else if (event.type === "message") this.#addMessage(event);
      else if (event.type === "checkpoint") this.refreshCheckpoints();
      else if (event.type === "finding") this.refreshFindings();
      else if (event.type === "server") this.refreshRun();
      else if (event.type === "status" && event.resumed_step != null) this.#rollBack(event.resumed_step);
    }
  }

  /** @param {number} step the update from which a worker goes on */
  #rollBack(step) {
    this.samples.value = this.samples.value.filter((sample) => sample.step <= step);
    this.refreshRun();
    this.refreshCheckpoints();
    this.refreshFindings();
  }

  /** @param {Sample} sample */
  #addSample(sample) {
    const others = this.samples.value.filter((each) => each.step !== sample.step || each.prompt !== sample.prompt);
    this.samples.value = [...others, sample];
  }

  /** @param {MessageEvent} message */
  #addMessage(message) {
    const known = this.messages.value.some((each) => each.cursor === message.cursor);
    if (!known) this.messages.value = [...this.messages.value, message];
  }
}

/**
 * What a worker that goes on evaluates anew takes the place of what was told before.
 *
 * @param {EvaluationEvent[]} before
 * @param {EvaluationEvent} event
 */
const withEvaluation = (before, event) => [...before.filter(({ step }) => step < event.step), event];
