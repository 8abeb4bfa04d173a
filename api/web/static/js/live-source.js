/**
 * One connection to the server's live stream for the whole page. The browser reconnects by itself
 * and sends Last-Event-ID; a closed stream (server stopped) is tried again here. Where nobody is left
 * to show, deleted or no longer granted, what is on the page goes too.
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
    if (source.readyState === EventSource.CLOSED) setTimeout(again, RETRY_MS);
  };
}

async function again() {
  try {
    const answer = await fetch("/api/v1/patients");
    if (answer.status === 401 || (answer.ok && (await answer.json()).items.length === 0)) {
      location.assign("/");
      return;
    }
  } catch {
    // the server is away; the next try says more
  }
  open();
}

open();
