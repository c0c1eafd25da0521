/**
 * Formulas as MathML, which browsers draw and screen readers read. Pure; what goes in is text of this page's own.
 *
 * @typedef {string} Markup
 */

/** @param {string} name of a variable */
export const v = (name) => `<mi>${name}</mi>`;
/** @param {string | number} value */
export const n = (value) => `<mn>${value}</mn>`;
/** @param {string} sign */
export const o = (sign) => `<mo>${sign}</mo>`;
/** @param {string} words */
export const words = (words) => `<mtext>${words}</mtext>`;
/** @param {Markup[]} parts */
export const row = (...parts) => `<mrow>${parts.join("")}</mrow>`;
/** @param {Markup} above @param {Markup} below */
export const frac = (above, below) => `<mfrac>${above}${below}</mfrac>`;
/** @param {Markup} base @param {Markup} index */
export const sub = (base, index) => `<msub>${base}${index}</msub>`;
/** @param {Markup} base @param {Markup} exponent */
export const sup = (base, exponent) => `<msup>${base}${exponent}</msup>`;
/** @param {Markup} inner */
export const root = (inner) => `<msqrt>${inner}</msqrt>`;
/** @param {Markup} below @param {Markup} above */
export const sum = (below, above) => `<munderover><mo>∑</mo>${below}${above}</munderover>`;
/** @param {Markup[]} parts */
export const formula = (...parts) => `<math display="block">${row(...parts)}</math>`;
