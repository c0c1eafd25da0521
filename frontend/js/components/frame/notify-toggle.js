import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import * as notifications from "../../stores/notifications.js";
import { Icon } from "../icon.js";

const BLOCKED = "This browser blocks notifications of this page. Allow them in its settings, then press the bell again.";

/** Turns notifications of runs that end, or that the coach warns of, on and off, where the browser has them. */
export function NotifyToggle() {
  const on = useSignal(notifications.areOn());
  const blocked = useSignal(false);
  if (!notifications.areAvailable()) return null;

  const toggle = async () => {
    if (on.value) notifications.turnOff();
    else blocked.value = !(await notifications.turnOn());
    on.value = notifications.areOn();
  };
  const label = "Notify me when a run ends or goes wrong";
  return html`
    <button class="icon-button" aria-pressed=${on.value} aria-label=${label} title="${label}, while the list of runs or the run's own page is open" onClick=${toggle}>
      <${Icon} name=${on.value ? "bell" : "bellOff"} />
    </button>
    <span class="hint-over" role="status">${blocked.value && BLOCKED}</span>
  `;
}
