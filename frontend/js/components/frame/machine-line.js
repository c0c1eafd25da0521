/** @import { Machine } from "../../types.js" */
import { html } from "htm/preact";
import * as format from "../../format.js";

/** Less than this cannot be written in one piece, and what trains waits. */
const FULL_BYTES = 1e6;

/** What the server's machine is doing now, renewed with every heartbeat of the stream. @param {{ machine: Machine | null }} props */
export function MachineLine({ machine }) {
  if (!machine) return null;
  const { cpu_percent: cpu, memory_used_bytes: used, memory_bytes: memory, disk_free_bytes: free, gpus } = machine;
  return html`
    <dl class="machine-line" aria-label="This machine now">
      <div><dt>CPU</dt><dd>${format.percent(cpu)}</dd></div>
      <div><dt>Memory</dt><dd>${format.bytes(used)} of ${format.bytes(memory)}</dd></div>
      <div><dt>Disk</dt><dd><a href="#/disk">${format.bytes(free)} free${free < FULL_BYTES && ": runs wait for space"}</a></dd></div>
      ${gpus.map(
        (gpu) => html`
          <div key=${gpu.number}>
            <dt title=${gpu.name}>GPU ${gpu.number}</dt>
            <dd>${ofGpu(gpu)}</dd>
          </div>
        `,
      )}
    </dl>
  `;
}

/** What its driver does not tell is left out. @param {Machine["gpus"][number]} gpu */
function ofGpu({ percent, memory_used_bytes: used, memory_bytes: memory, temperature, power }) {
  return [
    percent != null && format.percent(percent),
    `${format.bytes(used)} of ${format.bytes(memory)}`,
    temperature != null && `${format.count(temperature)} °C`,
    power != null && `${format.count(power)} W`,
  ]
    .filter(Boolean)
    .join(" · ");
}
