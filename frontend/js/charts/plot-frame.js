/**
 * What charts drawn by uPlot have in common: the theme's look, and a box whose size and theme they follow.
 */

/** @param {HTMLElement} host @returns a lookup of the theme's colours, and how an axis looks */
export function themeOf(host) {
  const style = getComputedStyle(host);
  const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color("--text-muted"),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: color("--border"), width: 1 },
    ticks: { show: false },
  };
  return { color, axis };
}

/**
 * @param {HTMLElement} host
 * @param {() => void} resize
 * @param {() => void} redraw in other colours
 * @returns {() => void} ends it
 */
export function followFrame(host, resize, redraw) {
  const resized = new ResizeObserver(resize);
  resized.observe(host);
  const themed = new MutationObserver(redraw);
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => {
    resized.disconnect();
    themed.disconnect();
  };
}
