/**
 * The four stages of a step, and the way from one to the next.
 *
 * @import { MicroscopeStep } from "../../types.js"
 * @import { Choice, Stage } from "../../stores/microscope/choice.js"
 */
import { html } from "htm/preact";
import { learnLink } from "../../router.js";
import { neighbour, STAGES } from "../../stores/microscope/choice.js";
import { BackwardStage } from "./backward.js";
import { ForwardStage } from "./forward.js";
import { LossStage } from "./loss.js";
import { UpdateStage } from "./update.js";

/** @type {Record<Stage, { title: string, learn: string, learnTitle: string, sentences: string, picture: any }>} */
const ABOUT = {
  forward: {
    title: "Forward",
    learn: "forward_pass",
    learnTitle: "More about the forward pass",
    sentences:
      "The model reads the tokens from left to right and, after each one, says how likely every token it knows is to come next. It looks back as it reads: attention says how much each token draws on those before it.",
    picture: ForwardStage,
  },
  loss: {
    title: "Loss",
    learn: "loss",
    learnTitle: "More about the loss",
    sentences:
      "What really stood there is compared with what the model expected: a token that it found unlikely costs many nats, one that it was sure of next to none. The loss is the mean over the learned tokens, and the one number that training tries to make smaller.",
    picture: LossStage,
  },
  backward: {
    title: "Backward",
    learn: "backward_pass",
    learnTitle: "More about the backward pass",
    sentences:
      "From the loss back to the first layer it is worked out for every weight how the loss would change if that weight grew a little: its gradient. A gradient that is too long as a whole is scaled down first, so that one odd row cannot throw the model off.",
    picture: BackwardStage,
  },
  update: {
    title: "Update",
    learn: "optimizer",
    learnTitle: "More about the optimizer",
    sentences:
      "The optimizer moves each weight a little against its gradient; the learning rate says how far. Then the model reads the same row again, to see what this one step has done.",
    picture: UpdateStage,
  },
};

/** @param {{ step: MicroscopeStep, choice: Choice, choose: (change: Partial<Choice>) => void }} props */
export function Stages({ step, choice, choose }) {
  const { stage } = choice;
  const place = STAGES.indexOf(stage);
  const { title, learn, learnTitle, sentences, picture: Picture } = ABOUT[stage];
  const go = (/** @type {1 | -1} */ by) => choose({ stage: neighbour(stage, by) });
  return html`
    <nav aria-label="Stages of the step">
      <ol class="stages">
        ${STAGES.map(
          (each, number) => html`
            <li key=${each}>
              <button type="button" aria-current=${each === stage ? "step" : undefined} onClick=${() => choose({ stage: each })}>
                <span aria-hidden="true">${number + 1}</span> ${ABOUT[each].title}
              </button>
            </li>
          `,
        )}
      </ol>
    </nav>
    <section class="card stage" aria-label=${title}>
      <div class="card-head">
        <h2>${title}</h2>
        <span class="muted" role="status">Stage ${place + 1} of ${STAGES.length}: ${title}</span>
        <div class="actions push">
          <button type="button" class="button" disabled=${place === 0} onClick=${() => go(-1)}>Back</button>
          <button type="button" class="button primary" disabled=${place === STAGES.length - 1} onClick=${() => go(1)}>Next</button>
        </div>
      </div>
      <p class="stage-lead">${sentences} <a href=${learnLink(learn)}>${learnTitle}</a></p>
      <${Picture} key=${stage} step=${step} choice=${choice} choose=${choose} />
      <p class="muted stage-keys">The keys ← and → lead to the stages before and after.</p>
    </section>
  `;
}
