/**
 * A configuration out of a file. Pure.
 *
 * @import { Config } from "../types.js"
 */

/**
 * @param {string} text a RunConfig as JSON, or a run directory's config.json, which holds one as `config`
 * @param {string[]} known names of the settings
 * @returns {{ config: Config, ignored: string[] }} ignored: names that are no settings
 * @throws {Error} with a sentence
 */
export function configFrom(text, known) {
  const content = parse(text);
  const config = isObject(content) && isObject(content.config) ? content.config : content;
  if (!isObject(config)) throw new Error('The file holds no settings: it must be a JSON object, such as {"batch_size": 4}.');
  const names = Object.keys(config);
  const taken = names.filter((name) => known.includes(name));
  if (taken.length === 0) throw new Error("The file holds none of the form's settings.");
  return {
    config: Object.fromEntries(taken.map((name) => [name, valueOf(name, config[name])])),
    ignored: names.filter((name) => !known.includes(name)),
  };
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new Error(`The file is not JSON: ${/** @type {SyntaxError} */ (error).message}.`);
  }
}

/** @param {any} value @returns {value is Record<string, any>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {string} name @param {any} value @returns {Config[string]} */
function valueOf(name, value) {
  if (!isObject(value)) return value;
  throw new Error(`The file's ${name} is an object; a setting is a number, text, a list, true or false.`);
}
