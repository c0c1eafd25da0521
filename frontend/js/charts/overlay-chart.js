/**
 * Many lines in one chart, in two layers: a still one, drawn only when what is shown or the axes change, and above it one
 * for the lines that grow, drawn with each of their points. So a frame costs what moves in it and not what is shown.
 *
 * @import { ReadonlySignal } from "@preact/signals"
 * @import { Item, View } from "./overlay-draw.js"
 */
import { useSignalEffect } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { number } from "../format.js";
import { COLOURS, drawItems, extentOf, viewOf } from "./overlay-draw.js";
import { followFrame, themeOf } from "./plot-frame.js";

/**
 * @param {object} props
 * @param {string} props.label for those who cannot see it
 * @param {ReadonlySignal<Item[]>} props.still
 * @param {ReadonlySignal<Item[]>} props.live
 * @param {boolean} props.log
 * @param {(x: number) => string} props.formatX
 * @param {(x: number | null) => void} props.onCursor
 */
export function OverlayChart({ label, still, live, log, formatX, onCursor }) {
  const host = useRef(/** @type {HTMLDivElement | null} */ (null));
  const chart = useRef(/** @type {Layers | null} */ (null));

  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (host.current);
    const draw = () => {
      chart.current?.destroy();
      chart.current = new Layers(element, still.peek(), live.peek(), log, formatX, onCursor);
    };
    draw();
    const unfollow = followFrame(element, () => chart.current?.resize(), draw);
    return () => {
      unfollow();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [log, formatX]);

  useSignalEffect(() => chart.current?.setStill(still.value));
  useSignalEffect(() => chart.current?.setLive(live.value));

  return html`<div class="chart overlay" ref=${host} role="img" aria-label=${label}></div>`;
}

/** uPlot gives axes, cursor and the still layer's canvas. */
class Layers {
  #host;
  #log;
  #still;
  #live;
  #stillExtent;
  #colours;
  #plot;
  #canvas = document.createElement("canvas");
  #context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
  #frame = 0;
  /** @type {View} */
  #view;

  /**
   * @param {HTMLElement} host
   * @param {Item[]} still
   * @param {Item[]} live
   * @param {boolean} log
   * @param {(x: number) => string} formatX
   * @param {(x: number | null) => void} onCursor
   */
  constructor(host, still, live, log, formatX, onCursor) {
    this.#host = host;
    this.#still = still;
    this.#live = live;
    this.#log = log;
    this.#stillExtent = extentOf(still, log);
    this.#view = viewOf(null, this.#extent(), log, live.length > 0);
    const { color, axis } = themeOf(host);
    this.#colours = Array.from({ length: COLOURS }, (_, i) => color(`--line-${i}`));
    this.#plot = new uPlot(this.#options(axis, formatX, onCursor), [[0], [null]], host);
    this.#canvas.className = "overlay-live";
    this.#plot.over.prepend(this.#canvas);
    this.#schedule();
  }

  destroy() {
    cancelAnimationFrame(this.#frame);
    this.#plot.destroy();
  }

  resize() {
    this.#plot.setSize({ width: this.#host.clientWidth, height: this.#host.clientHeight });
    this.#schedule();
  }

  /** @param {Item[]} items */
  setStill(items) {
    if (items === this.#still) return;
    this.#still = items;
    this.#stillExtent = extentOf(items, this.#log);
    this.#look();
    this.#plot.redraw(false, false);
  }

  /** @param {Item[]} items */
  setLive(items) {
    if (items === this.#live) return;
    this.#live = items;
    this.#look();
  }

  /** Show what there is now: the still layer follows only if the view has to change. */
  #look() {
    const view = viewOf(this.#view, this.#extent(), this.#log, this.#live.length > 0);
    if (view !== this.#view) {
      this.#view = view;
      this.#plot.setData([[0], [null]]); // has the scales ask for their ranges again
    }
    this.#schedule();
  }

  #extent() {
    const live = extentOf(this.#live, this.#log);
    if (!live || !this.#stillExtent) return live ?? this.#stillExtent;
    const { x, y } = this.#stillExtent;
    return {
      x: /** @type {[number, number]} */ ([Math.min(x[0], live.x[0]), Math.max(x[1], live.x[1])]),
      y: /** @type {[number, number]} */ ([Math.min(y[0], live.y[0]), Math.max(y[1], live.y[1])]),
    };
  }

  #schedule() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#drawLive();
    });
  }

  #drawLive() {
    const { width, height } = this.#plot.bbox;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    else this.#context.clearRect(0, 0, width, height);
    this.#draw(this.#context, this.#live);
  }

  /** @param {uPlot} plot */
  #drawStill({ ctx, bbox }) {
    ctx.save();
    ctx.translate(bbox.left, bbox.top);
    this.#draw(ctx, this.#still, bbox);
    ctx.restore();
  }

  /** @param {CanvasRenderingContext2D} context @param {Item[]} items @param {{ width: number, height: number }} [box] */
  #draw(context, items, { width, height } = this.#plot.bbox) {
    drawItems(context, { width, height, ratio: devicePixelRatio }, this.#view, items, (look) => this.#colours[look % COLOURS]);
  }

  /**
   * @param {uPlot.Axis} axis what both have
   * @param {(x: number) => string} formatX
   * @param {(x: number | null) => void} onCursor
   * @returns {uPlot.Options}
   */
  #options(axis, formatX, onCursor) {
    return {
      width: this.#host.clientWidth,
      height: this.#host.clientHeight,
      series: [{}, { paths: () => null, points: { show: false } }],
      padding: [8, 12, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
      scales: {
        x: { time: false, range: () => this.#view.x },
        y: { distr: this.#log ? 3 : 1, range: () => this.#view.y },
      },
      axes: [
        { ...axis, size: 24, space: 72, values: (_, ticks) => ticks.map(formatX) },
        { ...axis, size: 56, space: 30, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick))) },
      ],
      hooks: {
        draw: [(plot) => this.#drawStill(plot)],
        setCursor: [
          (plot) => {
            const left = plot.cursor.left ?? -1;
            onCursor(left < 0 ? null : plot.posToVal(left, "x"));
          },
        ],
      },
    };
  }
}
