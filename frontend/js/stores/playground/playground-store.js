/**
 * What the playground holds: the models that are asked, the turns so far, and the settings.
 *
 * @import { Model, GenerateRequest } from "../../types.js"
 * @import { Form, Said } from "./conversation.js"
 * @import { Session } from "./link.js"
 * @import { Verdict } from "./votes.js"
 */
import { computed, signal } from "@preact/signals";
import * as api from "../../server/api.js";
import { ApiError } from "../../server/requests.js";
import { Answer } from "./answer.js";
import { messagesOf, requestOf, usualForm } from "./conversation.js";
import { remember } from "./kept.js";
import { MOST_MODELS } from "./link.js";
import { sentOf, withSeed } from "./settings.js";
import { shuffled, votesOf } from "./votes.js";

/** A question or prompt, and what each model answered. */
export class Turn {
  /** @param {string} user @param {Answer[]} answers in the order they are shown @param {boolean} blind names are hidden */
  constructor(user, answers, blind = false) {
    this.id = api.idempotencyKey();
    this.user = user;
    this.answers = answers;
    this.blind = blind;
    this.verdict = signal(/** @type {Verdict | null} */ (null));
  }

  get hidden() {
    return this.blind && this.verdict.value === null;
  }

  get busy() {
    return this.answers.some((answer) => answer.busy);
  }
}

export class PlaygroundStore {
  /** @param {Session} session of the link */
  constructor(session) {
    this.listed = signal(/** @type {Model[] | null} */ (null));
    this.listError = signal(/** @type {ApiError | null} */ (null));
    this.models = signal(/** @type {string[]} */ ([]));
    this.system = signal("");
    this.draft = signal("");
    this.turns = signal(/** @type {Turn[]} */ ([]));
    this.settings = signal(session.settings);
    this.blind = signal(false);
    this.probabilities = signal(false);
    /** Told whenever votes have been given. */
    this.voted = signal(0);
    /** @type {import("@preact/signals").Signal<Form | null>} null: as suits the first model */
    this.chosenForm = signal(/** @type {Form | null} */ (null));
    /** A model that is asked in place of those chosen, while checkpoints are looked at. */
    this.instead = signal(/** @type {string | null} */ (null));
    this.first = computed(() => this.instead.value ?? this.models.value[0]);
    this.form = computed(() => this.chosenForm.value ?? usualForm(this.find(this.first.value)));
    this.busy = computed(() => this.turns.value.some((turn) => turn.busy));
    this.id = "";
    this.restore(session);
  }

  async open() {
    try {
      const { items } = await api.listModels();
      this.listed.value = items.filter((each) => each.promptable);
      if (!this.models.value.length && this.listed.value.length) this.models.value = [this.listed.value[0].id];
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      this.listError.value = reason;
    }
  }

  close() {
    this.stop();
  }

  /** @param {string | undefined} id @returns {Model | undefined} */
  find(id) {
    return this.listed.value?.find((model) => model.id === id);
  }

  /** @param {string} id @returns {string} */
  nameOf(id) {
    return this.find(id)?.name ?? id;
  }

  /** In place of the one at this place, or added. @param {number} place @param {string} id */
  choose(place, id) {
    if (this.models.value.includes(id) || place >= MOST_MODELS) return;
    const models = [...this.models.value];
    models[place] = id;
    this.models.value = models;
  }

  /** @param {number} place */
  leaveOut(place) {
    this.models.value = this.models.value.filter((_, i) => i !== place);
  }

  /** Of another form nothing said so far has a meaning. @param {Form} form */
  setForm(form) {
    this.startAnew();
    this.chosenForm.value = form;
  }

  startAnew() {
    this.stop();
    this.turns.value = [];
    this.id = api.idempotencyKey();
  }

  /** Sends the draft: the next question of a chat, or the prompt again. */
  send() {
    const user = this.draft.value;
    if (this.form.value === "prompt") this.startAnew();
    else this.draft.value = "";
    return this.#ask(user, this.turns.value);
  }

  /** Asks again, or something else, in a turn's place. What came after it is gone. @param {Turn} turn @param {string} [user] */
  again(turn, user = turn.user) {
    this.stop();
    const before = this.turns.value.slice(0, this.turns.value.indexOf(turn));
    return this.#ask(user, before);
  }

  /** @param {Turn} turn */
  remove(turn) {
    for (const answer of turn.answers) answer.stop();
    this.turns.value = this.turns.value.filter((each) => each !== turn);
    this.#remember();
  }

  /** What comes after it stays, as what is asked next goes on from it. @param {Answer} answer @param {string} text */
  edit(answer, text) {
    answer.edit(text);
    this.#remember();
  }

  /** Goes on with an answer that broke off. @param {Turn} turn @param {Answer} answer */
  async goOn(turn, answer) {
    const said = this.said(this.turns.value.slice(0, this.turns.value.indexOf(turn) + 1));
    await answer.ask(this.#request(said, answer.model, answer.request?.seed ?? undefined, answer.text.value), true);
    this.#remember();
  }

  stop() {
    for (const turn of this.turns.value) for (const answer of turn.answers) answer.stop();
  }

  /** @param {Turn} turn @param {Verdict} verdict @throws {ApiError} */
  async vote(turn, verdict) {
    const [first] = turn.answers;
    const judge = verdict.kind === "better" ? verdict.model : first.model;
    const said = this.said(this.turns.value.slice(0, this.turns.value.indexOf(turn) + 1));
    const asked = this.form.value === "chat" ? { messages: messagesOf(said, judge, this.system.value) } : { prompt: turn.user };
    const settings = { ...sentOf(this.settings.value), seed: first.request?.seed ?? undefined };
    const answers = turn.answers.map(({ model, text }) => ({ model, text: text.value }));
    const votes = votesOf(answers, verdict, { ...asked, blind: turn.blind, settings });
    for (const vote of votes) await api.vote(vote);
    turn.verdict.value = verdict;
    this.voted.value += 1;
  }

  /** @param {Turn[]} [turns] @returns {Said[]} */
  said(turns = this.turns.value) {
    return turns.map(({ user, answers }) => ({ user, answers: answers.map(({ model, text }) => ({ model, text: text.value })) }));
  }

  /** @returns {Session} */
  session() {
    return {
      models: this.models.value,
      form: this.form.value,
      system: this.system.value,
      draft: this.draft.value,
      said: this.said(),
      settings: this.settings.value,
    };
  }

  /** @param {Session & { id?: string }} session of a link, or of the history */
  restore({ id, models, form, system, draft, said, settings }) {
    this.stop();
    this.id = id ?? api.idempotencyKey();
    this.models.value = models;
    this.chosenForm.value = form;
    this.system.value = system;
    this.draft.value = draft;
    this.settings.value = settings;
    this.turns.value = said.map(({ user, answers }) => new Turn(user, answers.map(({ model, text }) => new Answer(model, text))));
  }

  /** @returns {GenerateRequest | null} what the first model would be sent now, or was sent last where nothing new is typed */
  request() {
    const model = this.first.value;
    if (!model) return null;
    const said = this.form.value === "prompt" ? [] : this.said();
    const typed = this.draft.value.trim() !== "" || said.length === 0;
    return this.#request(typed ? [...said, { user: this.draft.value, answers: [] }] : said, model);
  }

  /** What one question is to each of many models, all with one seed. @param {string} user @returns {(model: string) => GenerateRequest} */
  requestsFor(user) {
    const { seed } = withSeed(sentOf(this.settings.value));
    return (model) => this.#request([{ user, answers: [] }], model, seed);
  }

  /** @param {string} user @param {Turn[]} before */
  async #ask(user, before) {
    const models = this.models.value;
    const answers = models.map((model) => new Answer(model));
    const blind = this.blind.value && models.length > 1;
    const turn = new Turn(user, blind ? shuffled(answers) : answers, blind);
    this.turns.value = [...before, turn];
    const { seed } = withSeed(sentOf(this.settings.value));
    const said = [...this.said(before), { user, answers: [] }];
    await Promise.all(answers.map((answer) => answer.ask(this.#request(said, answer.model, seed))));
    if (this.turns.value.includes(turn)) this.#remember();
  }

  /** @param {Said[]} said @param {string} id @param {number} [seed] @param {string} [begun] @returns {GenerateRequest} */
  #request(said, id, seed, begun) {
    const settings = { ...sentOf(this.settings.value), ...(seed === undefined ? {} : { seed }) };
    return requestOf({ form: this.form.value, said, system: this.system.value, id, model: this.find(id), settings, begun });
  }

  #remember() {
    if (!this.turns.value.length) return;
    remember({ ...this.session(), id: this.id, time: new Date().toISOString() });
  }
}
