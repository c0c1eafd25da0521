/** Numbers as people read them. Every function takes null for "not known" and gives an en dash. */

const NONE = "–";

/** @param {number | null | undefined} value @returns {value is number} */
const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

/** @param {number | null | undefined} value a loss, in nats */
export function loss(value) {
  if (!known(value)) return NONE;
  return value.toFixed(value >= 100 ? 1 : value >= 10 ? 2 : 3);
}

/** @param {number | null | undefined} value with three digits: plain down to 0.001, below that with an exponent */
export function number(value) {
  if (!known(value)) return NONE;
  if (value === 0) return "0";
  return Math.abs(value) >= 0.001 ? String(Number(value.toPrecision(3))) : trimExponent(value.toExponential(2));
}

/** @param {string} text "1.20e-5" becomes "1.2e-5" */
function trimExponent(text) {
  return text.replace(/\.?0+e/, "e");
}

/** @param {number | null | undefined} value a whole number, with separators */
export function count(value) {
  return known(value) ? Math.round(value).toLocaleString("en-US") : NONE;
}

/**
 * @param {number | null | undefined} value
 * @returns {string} with three digits and K, M or B: 1.23M
 */
export function short(value) {
  if (!known(value)) return NONE;
  return scaled(value, ["", "K", "M", "B", "T"], "");
}

/** @param {number | null | undefined} value of a hundred */
export function percent(value) {
  return known(value) ? `${Math.round(value)}%` : NONE;
}

/** @param {number | null | undefined} value a size in bytes */
export function bytes(value) {
  if (!known(value)) return NONE;
  return scaled(value, ["B", "kB", "MB", "GB", "TB"], " ");
}

/**
 * @param {number} value
 * @param {string[]} units each 1000 times the one before
 * @param {string} space
 */
function scaled(value, units, space) {
  let index = 0;
  let number = value;
  // 999.5 would round up to 1000, which belongs to the next unit.
  while (number >= 999.5 && index < units.length - 1) {
    number /= 1000;
    index += 1;
  }
  const digits = index === 0 || number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return `${Number(number.toFixed(digits))}${space}${units[index]}`.trim();
}

/**
 * @param {number | null | undefined} seconds
 * @returns {string} the two largest units: "48 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"
 */
export function duration(seconds) {
  if (!known(seconds)) return NONE;
  const total = Math.max(0, Math.round(seconds));
  if (total < 60) return `${total} s`;
  if (total < 3600) return pair(total, 60, "min", 1, "s");
  if (total < 86400) return pair(total, 3600, "h", 60, "min");
  return pair(total, 86400, "d", 3600, "h");
}

/**
 * @param {number} total
 * @param {number} large
 * @param {string} largeUnit
 * @param {number} small
 * @param {string} smallUnit
 */
function pair(total, large, largeUnit, small, smallUnit) {
  const rest = Math.floor((total % large) / small);
  return `${Math.floor(total / large)} ${largeUnit}${rest ? ` ${rest} ${smallUnit}` : ""}`;
}

/** @param {number | null | undefined} seconds how long a run still takes */
export function remaining(seconds) {
  if (!known(seconds)) return "";
  return seconds < 1 ? "almost done" : `about ${duration(seconds)} left`;
}

/**
 * @param {string | null} iso
 * @param {Date} now
 * @returns {string} the local time of day, with the date unless it is today
 */
export function moment(iso, now) {
  if (!iso) return NONE;
  const time = new Date(iso);
  const clock = time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  if (time.toDateString() === now.toDateString()) return clock;
  return `${time.toLocaleDateString(undefined, { day: "numeric", month: "short" })}, ${clock}`;
}

/** @param {string | null} start @param {string | null} end @param {Date} now @returns {number | null} seconds between */
export function elapsed(start, end, now) {
  if (!start) return null;
  return Math.max(0, ((end ? Date.parse(end) : now.getTime()) - Date.parse(start)) / 1000);
}

/** @param {number} part @param {number} whole @returns {string} a percentage; a part that is there never shows as 0% */
export function share(part, whole) {
  const hundredths = whole ? (100 * part) / whole : 0;
  if (hundredths > 0 && hundredths < 1) return "under 1%";
  return hundredths < 100 && hundredths > 99 ? "over 99%" : `${Math.round(hundredths)}%`;
}
