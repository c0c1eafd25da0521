import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { Icon } from "../icon.js";

/** Switches between light and dark, and remembers the choice. Without one, js/theme.js follows the system. */
export function ThemeToggle() {
  const root = document.documentElement;
  const theme = useSignal(root.dataset.theme);

  useEffect(() => {
    const observer = new MutationObserver(() => (theme.value = root.dataset.theme));
    observer.observe(root, { attributeFilter: ["data-theme"] });
    return () => observer.disconnect();
  }, []);

  const other = theme.value === "dark" ? "light" : "dark";
  const choose = () => {
    localStorage.setItem("theme", other);
    root.dataset.theme = other;
  };
  const label = `Switch to the ${other} theme`;
  return html`
    <button class="icon-button" onClick=${choose} aria-label=${label} title=${label}>
      <${Icon} name=${other === "dark" ? "moon" : "sun"} />
    </button>
  `;
}
