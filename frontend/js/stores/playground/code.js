/**
 * The same request from another program. Pure.
 *
 * @import { GenerateRequest } from "../../types.js"
 */

/** What OpenAI's client does not know by name goes into its extra_body. */
const EXTRA = ["top_k", "min_p", "repetition_penalty"];

/** @typedef {"curl" | "python" | "openai"} Language */

/** @type {[Language, string][]} */
export const LANGUAGES = [
  ["curl", "curl"],
  ["python", "Python"],
  ["openai", "OpenAI client"],
];

/** @param {Language} language @param {string} origin such as http://127.0.0.1:8000 @param {GenerateRequest} request */
export function codeFor(language, origin, request) {
  return { curl: curlOf, python: pythonOf, openai: openaiOf }[language](origin, request);
}

/** @param {string} origin @param {GenerateRequest} request */
function curlOf(origin, request) {
  const body = JSON.stringify(request).replaceAll("'", "'\\''");
  return `curl -N ${origin}/api/generate \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}

/** @param {string} origin @param {GenerateRequest} request */
function pythonOf(origin, request) {
  return `import json, httpx

request = ${literal(request)}
with httpx.stream("POST", "${origin}/api/generate", json=request, timeout=None) as response:
    response.raise_for_status()
    for line in response.iter_lines():
        if line.startswith("data: ") and "text" in (event := json.loads(line[6:])) and "id" in event:
            print(event["text"], end="", flush=True)
`;
}

/** @param {string} origin @param {GenerateRequest} request */
function openaiOf(origin, { messages, prompt, chat, max_new_tokens, ...request }) {
  const known = Object.entries(request).filter(([name]) => !EXTRA.includes(name));
  const extra = Object.entries(request).filter(([name]) => EXTRA.includes(name));
  const asked = messages ? { messages } : { prompt };
  const all = { ...Object.fromEntries(known), ...asked, max_tokens: max_new_tokens };
  const lines = Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `    ${name}=${literal(value)},`);
  if (extra.length) lines.push(`    extra_body=${literal(Object.fromEntries(extra))},`);
  const [call, text] = messages ? ["chat.completions", "delta.content or \"\""] : ["completions", "text"];
  return `from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key="this server's token, or anything if it has none")
stream = client.${call}.create(
${lines.join("\n")}
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].${text}, end="", flush=True)
`;
}

/** @param {unknown} value @returns {string} as Python writes it */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, each]) => `${literal(name)}: ${literal(each)}`).join(", ")}}`;
  return JSON.stringify(value);
}
