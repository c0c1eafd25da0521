/** The REST API's shapes. Times are ISO 8601 UTC, durations seconds, sizes bytes. */

export type Status =
  | "queued" | "starting" | "running" | "stopping"
  | "completed" | "stopped" | "failed" | "interrupted";

export type Config = Record<string, string | number | boolean | string[] | null>;

export interface Run {
  id: string;
  name: string;
  status: Status;
  phase: string | null;
  reason: string | null;
  hint: string | null;
  config: Config;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  step: number;
  total_steps: number | null;
  epoch: number | null;
  loss: number | null;
  validation_loss: number | null;
  best_validation_loss: number | null;
  learning_rate: number | null;
  tokens_per_s: number | null;
  eta_s: number | null;
  device: string | null;
  precision: string | null;
  parameters: number | null;
  train_examples: number | null;
  validation_examples: number | null;
  queue_position: number | null;
  sparkline: (number | null)[];
  /** Added by the page: the step of the sparkline's last point, once events have moved it. */
  sparkline_step?: number;
  stream_cursor: number;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
  stream_cursor: number;
}

interface Envelope {
  run: string;
  cursor: number;
  time: string;
  seq?: number;
}

export type StatusEvent = Envelope & {
  type: "status";
  phase: string;
  reason?: string | null;
  hint?: string | null;
  total_steps?: number | null;
  device?: string | null;
  precision?: string | null;
  parameters?: number | null;
  train_examples?: number | null;
  validation_examples?: number | null;
};

export type StepEvent = Envelope & {
  type: "step";
  step: number;
  epoch: number;
  loss: number | null;
  lr: number;
  grad_norm: number | null;
  tokens: number;
  tokens_per_s: number;
  step_ms: number;
};

export type EvaluationEvent = Envelope & {
  type: "evaluation";
  step: number;
  epoch: number;
  loss: number | null;
  perplexity: number | null;
  best: boolean;
};

export type SampleEvent = Envelope & { type: "sample"; step: number; prompt: string; text: string };

export type CheckpointEvent = Envelope & { type: "checkpoint"; step: number; path: string; bytes: number; kind: string };

export type MessageEvent = Envelope & { type: "message"; level: "info" | "warning" | "error"; text: string };

export type ServerEvent = Envelope & { type: "server"; fact: string; status: Status; reason?: string | null };

export type RunEvent =
  | StatusEvent | StepEvent | EvaluationEvent | SampleEvent | CheckpointEvent | MessageEvent | ServerEvent;

export type Values = (number | null)[];

export interface SeriesSnapshot {
  x: number[];
  series: Record<string, { min: Values; max: Values; mean: Values }>;
  stream_cursor: number;
}

export interface Sample {
  step: number;
  prompt: string;
  text: string;
  time: string;
}

export interface Checkpoint {
  name: string;
  step: number;
  kind: string;
  bytes: number;
  path: string;
  model: string;
  validation_loss?: number | null;
}

export interface Dataset {
  id: string;
  name: string;
  format: string;
  rows: number;
  bytes: number;
  sha256: string;
  built_in: boolean;
  created_at: string | null;
}

export interface Preview {
  rows: string[];
  total: number;
}

export interface Model {
  id: string;
  name: string;
  kind: "built_in" | "hub" | "folder" | "gguf" | "run" | "checkpoint";
  description: string | null;
  trainable: boolean;
  promptable: boolean;
  bytes?: number | null;
  context?: number | null;
  run?: string | null;
  step?: number | null;
}

export interface Preset {
  id: string;
  title: string;
  description: string;
  config: Config;
}

export interface ConfigSchema {
  schema: { properties: Record<string, any> };
  groups: { id: string; title: string }[];
  presets: Preset[];
}

export interface System {
  version: string;
  devices: { id: string; name: string; memory_bytes: number | null }[];
}

export interface LogChunk {
  text: string;
  offset: number;
  size: number;
}

export interface GenerateRequest {
  model: string;
  prompt: string;
  max_new_tokens: number;
  temperature: number;
  top_p: number;
  seed?: number;
}
