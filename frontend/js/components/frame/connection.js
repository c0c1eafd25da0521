/** @import { Connection } from "../../server/stream.js" */
import { html } from "htm/preact";

/**
 * Whether what is on the screen is current.
 *
 * @param {{ state: Connection, detail?: string }} props
 */
export function ConnectionState({ state, detail }) {
  const word = { connecting: "Connecting…", live: "Live", reconnecting: "Reconnecting…", ended: "" }[state];
  return html`
    <span class="connection" data-state=${state}>
      <span role="status">${word}</span>
      ${state === "live" && detail && html`<span>· ${detail}</span>`}
    </span>
  `;
}
