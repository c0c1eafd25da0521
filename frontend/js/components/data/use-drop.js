import { useSignal } from "@preact/signals";

/**
 * @param {(file: File) => void} onFile
 * @returns what a box needs that a file can be dropped on: its handlers, and whether one is held over it
 */
export function useDrop(onFile) {
  const over = useSignal(false);
  const holdsFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  return {
    over: over.value,
    handlers: {
      onDragOver: (/** @type {DragEvent} */ event) => {
        if (!holdsFiles(event)) return;
        event.preventDefault();
        over.value = true;
      },
      onDragLeave: () => (over.value = false),
      onDrop: (/** @type {DragEvent} */ event) => {
        if (!holdsFiles(event)) return;
        event.preventDefault();
        over.value = false;
        const file = event.dataTransfer?.files[0];
        if (file) onFile(file);
      },
    },
  };
}
