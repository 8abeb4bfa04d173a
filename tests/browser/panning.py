"""How smoothly a day's angles move in Chromium: times between frames while they are dragged along.

    python -m tests.browser.panning http://127.0.0.1:8765/history/2026-11-28 [--closer 1]

Give the day of a running necktrace. A stretch of it is shown, each press closer half of the one
before, and moved by 8 pixels a frame, there and back.
"""

import argparse
import statistics

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, chromium

SETTLE_MS = 2500
FRAMES = 300
MOVE = """async (count) => {
    const chart = document.querySelector('posture-chart');
    const times = [];
    let last = performance.now();
    for (let i = 0; i < count; i += 1) {
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      times.push(now - last);
      last = now;
      const move = { deltaX: i < count / 2 ? 8 : -8, bubbles: true, cancelable: true };
      chart.querySelector('.u-over').dispatchEvent(new WheelEvent('wheel', move));
    }
    return times.slice(1);
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Frame times while a day's angles are moved.")
    parser.add_argument("address", help="page of a day")
    parser.add_argument("--closer", type=int, default=1, help="times the stretch is halved")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    path = chromium()
    if path is None:
        raise SystemExit("No Chromium is installed; set NECKTRACE_TEST_CHROMIUM to one.")
    frames: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for _ in range(wanted.rounds):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(wanted.address)
            chart = page.locator("posture-chart")
            chart.locator("canvas").wait_for()
            page.wait_for_timeout(SETTLE_MS)
            chart.focus()
            for _ in range(wanted.closer):
                page.keyboard.press("+")
                page.wait_for_timeout(SETTLE_MS)
            frames += page.evaluate(MOVE, FRAMES)
            page.close()
        browser.close()
    frames.sort()
    p95 = frames[int(0.95 * len(frames))]
    print(
        f"{len(frames)} frames: median {statistics.median(frames):.1f} ms, p95 {p95:.1f} ms, "
        f"longest {frames[-1]:.1f} ms"
    )


if __name__ == "__main__":
    main()
