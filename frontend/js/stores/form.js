/**
 * The New run form as data: fields from the configuration's JSON schema, what was typed, and what is sent. Pure.
 *
 * @import { Config, Preset, System } from "../types.js"
 *
 * @typedef {object} FormField
 * @property {string} name
 * @property {"text" | "number" | "switch" | "choice" | "lines"} kind
 * @property {string} label
 * @property {string} help
 * @property {string} group
 * @property {string | null} unit
 * @property {string | null} advice
 * @property {string[]} options of a choice
 * @property {boolean} [counts] whether each of its lines is a number
 * @property {Config[string]} initial the schema's default
 * @property {{ name: string, option: string } | null} only the choice, and its option, with which alone the field has a meaning
 *
 * @typedef {Record<string, string | boolean>} Typed what each control holds
 */

/**
 * @param {{ properties: Record<string, any> }} schema
 * @returns {FormField[]}
 */
export function fieldsOf(schema) {
  return Object.entries(schema.properties).map(([name, property]) => {
    const variant = (property.anyOf ?? [property]).find((/** @type {any} */ each) => each.type !== "null");
    return {
      name,
      kind: kindOf(variant),
      label: property.label ?? name,
      help: property.description ?? "",
      group: property.group,
      unit: property.unit ?? null,
      advice: property.advice ?? null,
      options: variant.enum ?? [],
      counts: variant.items?.type === "integer",
      initial: property.default ?? null,
      only: property.only_with ?? null,
    };
  });
}

/** @param {FormField} field @param {Typed} typed */
export function isShown({ only }, typed) {
  return only === null || typed[only.name] === only.option;
}

/** @param {any} variant @returns {FormField["kind"]} */
function kindOf(variant) {
  if (variant.enum) return "choice";
  if (variant.type === "boolean") return "switch";
  if (variant.type === "array") return "lines";
  return variant.type === "integer" || variant.type === "number" ? "number" : "text";
}

/**
 * @param {FormField[]} fields
 * @param {Config} [config] a preset's values, over the defaults
 * @returns {Typed}
 */
export function typedFrom(fields, config = {}) {
  return Object.fromEntries(fields.map((field) => [field.name, shown(config[field.name] ?? field.initial)]));
}

/** @param {Config[string]} value */
function shown(value) {
  if (typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.join("\n");
  return value === null ? "" : String(value);
}

/**
 * @param {FormField} field
 * @param {string | boolean} typed
 * @returns {Config[string]} null stands for "left empty". What is no number is passed on as typed: the server says so.
 */
export function valueOf(field, typed) {
  if (typeof typed === "boolean") return typed;
  if (field.kind === "lines") {
    const lines = typed.split("\n").map((line) => line.trim()).filter(Boolean);
    return field.counts ? /** @type {string[]} */ (lines.map(numberOf)) : lines;
  }
  const text = typed.trim();
  if (text === "") return null;
  return field.kind === "number" ? numberOf(text) : text;
}

/** @param {string} text */
const numberOf = (text) => (Number.isFinite(Number(text)) ? Number(text) : text);

/**
 * @param {FormField} field
 * @param {Typed} typed
 */
export function isChanged(field, typed) {
  const value = valueOf(field, typed[field.name]);
  // An emptied field asks for the default, which is what leaving it out of the request gives.
  return value !== null && JSON.stringify(value) !== JSON.stringify(field.initial);
}

/**
 * @param {FormField[]} fields
 * @param {Typed} typed
 * @returns {Config} what differs from the defaults: all that the server has to be told
 */
export function payloadOf(fields, typed) {
  const changed = fields.filter((field) => isShown(field, typed) && isChanged(field, typed));
  return Object.fromEntries(changed.map((field) => [field.name, valueOf(field, typed[field.name])]));
}

/**
 * @param {FormField[]} fields of one group
 * @param {Typed} typed
 * @returns {string} what differs from the defaults, for a folded group's headline
 */
export function summaryOf(fields, typed) {
  const parts = fields.filter((field) => isShown(field, typed) && isChanged(field, typed)).map((field) => {
    const value = valueOf(field, typed[field.name]);
    if (typeof value === "boolean") return `${field.label} ${value ? "on" : "off"}`;
    if (Array.isArray(value)) return `${value.length} ${field.label.toLowerCase()}`;
    return `${field.label} ${value}`;
  });
  return parts.join(" · ");
}

/**
 * @param {string} origin such as http://127.0.0.1:8000
 * @param {Config} payload
 * @returns {string} a command for a POSIX shell
 */
export function curlOf(origin, payload) {
  const body = JSON.stringify(payload).replaceAll("'", "'\\''");
  return `curl -X POST ${origin}/api/runs \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}

/** A card of 24 GB has a little less than that for programs. */
const CARD_TOLERANCE = 1.1;

/**
 * @param {Preset[]} presets
 * @param {System["devices"]} devices of this machine
 * @returns {Preset | null} the one for the largest GPU size that this machine's largest GPU has
 */
export function presetForGpu(presets, devices) {
  const sizes = devices.filter((device) => device.id.startsWith("cuda")).map((device) => device.memory_bytes);
  const memory = Math.max(0, ...sizes) * CARD_TOLERANCE;
  const size = (/** @type {Preset} */ preset) => preset.gpu_memory_bytes ?? Infinity;
  const fitting = presets.filter((preset) => size(preset) <= memory).sort((a, b) => size(b) - size(a));
  return fitting[0] ?? null;
}
