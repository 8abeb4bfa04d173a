/**
 * One connection to the server's live stream for the whole page. The browser reconnects by itself
 * and sends Last-Event-ID; a closed stream (server stopped) is tried again here.
 */
export const bus = new EventTarget();

const RETRY_MS = 2000;

function open() {
  const source = new EventSource("/api/v1/live");
  for (const name of ["frame", "progress", "guide", "exercise"]) {
    source.addEventListener(name, (event) => {
      const detail = JSON.parse(/** @type {MessageEvent} */ (event).data);
      bus.dispatchEvent(new CustomEvent(name, { detail }));
    });
  }
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(open, RETRY_MS);
  };
}

open();
