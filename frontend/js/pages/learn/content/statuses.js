/** Where a run stands. @import { Page } from "../content.js" */

/** @type {Record<string, Page>} */
export const STATUSES = {
  queued: {
    about: "The run waits for its device: one run at a time trains on each, the oldest first. It starts by itself.",
    remedies: ["To let it go first, stop the one that is running, and resume that one later. A paused run keeps its device."],
    also: ["devices", "starting"],
  },
  starting: {
    about: "The run’s own process is coming up: it loads the libraries, the model and the data. That takes some seconds, the first time longer.",
    also: ["running", "queued"],
  },
  running: {
    about: "The model is learning, and the page shows each step as it happens. You may close the page or the browser: training goes on without them.",
    also: ["update", "coach", "paused"],
  },
  pausing: {
    about: "The run was asked to pause. It does so after its present step, and keeps its device.",
    also: ["paused"],
  },
  paused: {
    about: "The run waits, and keeps its memory and its device. Resume and it goes on at once, as if nothing had been.",
    remedies: ["If another run should have the device, stop this one instead: it saves a checkpoint, and can be resumed."],
    also: ["stopped", "checkpoint"],
  },
  stopping: {
    about: "The run finishes its step and saves what it has learned. If it does not answer for a while, its page offers to end it by force.",
    also: ["stopped", "checkpoint"],
  },
  stopped: {
    about: "Someone stopped the run before its end. What it learned is saved; Resume goes on from there.",
    also: ["checkpoint", "completed"],
  },
  completed: {
    about: "The run has done all its updates, and its model is saved. Try it in the playground, evaluate it, or download it.",
    also: ["sampling", "validation", "checkpoint"],
  },
  failed: {
    about: "The run ended with an error. Its page says which and what to do; Retry goes on from the last checkpoint.",
    remedies: ["Read the sentence at the top of the run’s page, and the end of the worker’s log below the charts."],
    also: ["out_of_memory", "nonfinite", "checkpoint"],
  },
  interrupted: {
    about: "The machine went down under the run: a power cut, a restart. Nothing was wrong with it; Retry goes on from the last checkpoint.",
    also: ["checkpoint", "failed"],
  },
};
