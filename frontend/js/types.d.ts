/**
 * The REST API's shapes, under the names the page uses. `make types` writes openapi.d.ts anew from the server's own
 * schema before it checks the page. Times are ISO 8601 UTC, durations seconds, sizes bytes.
 */
import type { components } from "./openapi.js";

type Schemas = components["schemas"];

export type Config = Record<string, string | number | boolean | string[] | number[] | null>;

/**
 * The page adds `sparkline_step`, the step of the sparkline's last point, once events have moved it; and `rolled_back`, the
 * cursor of the latest event by which the run went on from a checkpoint. After that one the losses and findings are undefined
 * until a snapshot or an event tells them.
 */
export type Run = Omit<Schemas["Run"], "config" | "findings" | Losses> & { [name in Losses]?: number | null } & {
  config: Config;
  findings?: RunFinding[];
  sparkline_step?: number;
  rolled_back?: number;
};
export type RunFinding = Schemas["RunFinding"];
export type RunOrigin = Schemas["RunOrigin"];
export type ForkRequest = Partial<Omit<Schemas["ForkRequest"], "changes">> & { changes: Config };
export type ForkPreview = Schemas["ForkPreview"];
export type Relative = Schemas["Relative"];
export type Lineage = Schemas["Lineage"];
export type FindingList = Schemas["FindingList"];
type Losses = "loss" | "validation_loss" | "best_validation_loss";
export type Status = Run["status"];

export type RunList = Omit<Schemas["RunList"], "items"> & { items: Run[] };
export type Generation = Schemas["Generation"];
export type TagCount = Schemas["TagCount"];
export type Deletion = Schemas["Deletion"];
/** What people say about a run. */
export type About = Pick<Run, "name" | "tags" | "notes" | "archived">;
export type Comparison = Omit<Schemas["Comparison"], "runs"> & { runs: Run[] };
export type Difference = Schemas["Difference"];
export type Outcome = Schemas["Outcome"];
export type SeedGroup = Schemas["SeedGroup"];

/** What the server adds to every event. */
interface Envelope {
  run: string;
  cursor: number;
}

export type StatusEvent = Schemas["StatusEvent"] & Envelope;
export type StepEvent = Schemas["StepEvent"] & Envelope;
export type EvaluationEvent = Schemas["EvaluationEvent"] & Envelope;
export type SampleEvent = Schemas["SampleEvent"] & Envelope;
export type CheckpointEvent = Schemas["CheckpointEvent"] & Envelope;
export type SystemEvent = Schemas["SystemEvent"] & Envelope;
export type MessageEvent = Schemas["MessageEvent"] & Envelope;
export type DataEvent = Schemas["DataEvent"] & Envelope;
export type LayersEvent = Schemas["LayersEvent"] & Envelope;
export type TimingEvent = Schemas["TimingEvent"] & Envelope;
export type RowsEvent = Schemas["RowsEvent"] & Envelope;
/** The server's own event, which stands in no schema: it is never in a run's log. */
export type ServerEvent = Envelope & { type: "server"; time: string; fact: string; status: Status; reason?: string | null };

export type HeldFinding = Schemas["HeldFinding"];
/** The server's too. `holds` is false once it is no longer so. */
export type FindingEvent = HeldFinding & Envelope & { type: "finding"; holds: boolean };

export type RunEvent =
  | StatusEvent | StepEvent | EvaluationEvent | SampleEvent | CheckpointEvent | SystemEvent | MessageEvent
  | DataEvent | LayersEvent | TimingEvent | RowsEvent | FindingEvent | ServerEvent;

export type Values = (number | null)[];

export type Layers = Schemas["Layers"];
export type TimeSpent = Schemas["TimeSpent"];
export type OddRows = Schemas["OddRows"];
export type OddRow = Schemas["RowLoss"];
export type SeriesSnapshot = Schemas["Series"];
export type SeriesList = Schemas["SeriesList"];
/** What a stream's heartbeat tells of the machine; it has no cursor. */
export type Machine = Schemas["Machine"];
export type RunSeries = SeriesList["items"][number] & { stream_cursor: number };
export type Sample = Schemas["Sample"];
export type Checkpoint = Schemas["Checkpoint"];
export type Export = Schemas["Export"];
export type Dataset = Schemas["Dataset"];
export type DiskUsage = Schemas["DiskUsage"];
export type DiskItem = Schemas["DiskItem"];
export type Retention = Schemas["Retention"];
/** As the server takes it: what is left out is as usual. */
export type Reading = Pick<Schemas["Reading"], "kind"> & Partial<Schemas["Reading"]>;
export type Kind = Reading["kind"];
export type Preview = Schemas["Preview"];
export type NearDuplicates = Schemas["NearDuplicates"];
export type TextProblem = Schemas["TextProblem"];
export type Statistics = Schemas["Statistics"];
export type TokenView = Schemas["TokenView"];
export type TokenRow = Schemas["TokenRow"];
export type Token = Schemas["Token"];
export type TokenState = Token["state"];
export type TokensRequest = Partial<Omit<Schemas["TokensRequest"], "config" | "reading">> & {
  config: Config;
  reading?: Reading | null;
};
export type Preflight = Schemas["Preflight"];
export type Forecast = Schemas["Forecast"];
export type Model = Schemas["Model"];
export type Preset = Omit<Schemas["Preset"], "config"> & { config: Config };
export type ConfigSchema = Omit<Schemas["ConfigSchema"], "schema" | "presets"> & {
  schema: { properties: Record<string, any> };
  presets: Preset[];
};
export type System = Schemas["System"];
export type LogChunk = Schemas["LogChunk"];
export type GenerateRequest = Partial<Schemas["GenerateRequest"]> & { model: string };
export type ChatMessage = Schemas["Turn"];
/** What a stream of POST /api/generate tells, which stands in no schema. */
export interface GeneratedToken {
  id: number;
  text: string;
  token: string;
  logprob: number | null;
  top_logprobs?: { token: string; logprob: number }[];
}
/** What its end tells. */
export interface Generated {
  text: string;
  prompt_tokens: number;
  truncated_tokens: number;
  completion_tokens: number;
  tokens_per_s: number;
  finish_reason: "stop" | "length" | "cancelled";
}
export type NewVote = Pick<Schemas["NewVote"], "chosen" | "rejected"> &
  Partial<Omit<Schemas["NewVote"], "settings">> & { settings?: Partial<Schemas["SamplingSettings"]> | null };
export type Vote = Schemas["Vote"];
export type VoteList = Schemas["VoteList"];
export type Standing = Schemas["Standing"];
export type PreferenceData = Schemas["PreferenceData"];
export type Scores = Schemas["Scores"];
export type LikelyToken = Schemas["LikelyToken"];
export type ScoredToken = Schemas["ScoredToken"];
export type ScoredText = Schemas["ScoredText"];
/** The page always says how many guesses it wants; what is left out is the usual. */
export type MicroscopeRequest = Partial<Schemas["MicroscopeRequest"]>;
export type MicroscopeStep = Schemas["MicroscopeStep"];
export type LookedAtToken = Schemas["LookedAtToken"];
export type ModelPart = Schemas["ModelPart"];
export type Attention = Schemas["Attention"];
export type Evaluation = Schemas["Evaluation"];
export type EvaluationCell = Schemas["EvaluationCell"];
export type Share = Schemas["Share"];
