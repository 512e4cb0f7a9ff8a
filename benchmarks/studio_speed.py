"""How soon the page of `thermix studio` shows what a slider was moved to.

    python benchmarks/studio_speed.py            20 sources, 40 moves: under a minute
    python benchmarks/studio_speed.py --tiny     three sources, two moves, to see that it runs

A headless Chromium presses a key on the slider of a score. The clock is the page's own, from the key to the
new forecast table, and to the last stroke of the last chart. Chromium and the server share the processors.
Needs `chromium` (`make browser`) and the test requirements; without them it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

WATCH = """() => {
    for (const name of ['fill', 'stroke', 'fillText', 'fillRect']) {
        const draw = CanvasRenderingContext2D.prototype[name];
        CanvasRenderingContext2D.prototype[name] = function (...words) {
            window.drawn = performance.now();
            return draw.apply(this, words);
        };
    }
    document.addEventListener('keydown', () => { window.pressed = performance.now(); }, true);
    const tables = () => [...document.querySelectorAll('.wide table')].map(table => table.innerText).join();
    let before = '';
    new MutationObserver(changes => {
        const now = performance.now(), said = tables();
        if (said && said !== before) { before = said; window.told = now; }
        const nodes = changes.map(change => change.target.parentElement || change.target);
        if (nodes.some(node => node.closest && node.closest('.vega-embed'))) window.drawn = now;
    }).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def configuration(sources: int) -> str:
    """So many sources, a temperature that falls, and a cap."""
    lines = [
        f"  source {i + 1}: {{score: {3 - 0.2 * i:.1f}, items: {40_000 * (i + 1)}}}" for i in range(sources)
    ]
    lines[1] = lines[1].replace("}", ", max_epochs: 4}")
    head = "steps: 10000\nbatch_size: 512\ntemperature: {schedule: linear, start: 5.0, end: 1.0}\nsources:\n"
    return head + "\n".join(lines) + "\n"


def moves(page: Any, count: int) -> list[tuple[float, float]]:
    """Milliseconds from the key to the table, and to the last stroke of a chart, of each move."""
    found = []
    page.locator('input[type=range][aria-label="source 2"]').focus()
    for number in range(count + 2):
        page.wait_for_timeout(900)
        page.keyboard.press("ArrowRight" if number % 4 < 2 else "ArrowLeft")
        page.wait_for_timeout(1500)
        told, drawn = page.evaluate("[told - pressed, drawn - pressed]")
        if number >= 2:  # the first ones warm the server up
            found.append((told, drawn))
    return found


def measured(chromium: str, sources: int, count: int) -> list[tuple[float, float]]:
    """Serve a page of so many sources, and move a slider on it."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "mix.yaml"
        path.write_text(configuration(sources), encoding="utf-8")
        command = [sys.executable, "-m", "thermix", "studio", str(path)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[2]
            wait_for(f"{address}/_stcore/health")
            with sync_playwright() as engine:
                browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.add_init_script(f"({WATCH})()")
                page.goto(address)
                page.locator(".wide table").first.wait_for()
                page.wait_for_timeout(3000)
                found = moves(page, count)
                browser.close()
        finally:
            server.kill()
            server.wait()
    return found


def wait_for(address: str) -> None:
    """Until something answers there, half a minute at most."""
    for _ in range(300):
        with suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.1)
    sys.exit(f"nothing answers at {address}")


def main() -> None:
    """Print what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="only to see that it runs")
    parser.add_argument("--sources", type=int, default=20)
    given = parser.parse_args()
    sources, count = (3, 2) if given.tiny else (given.sources, 40)
    chromium = shutil.which("chromium")
    if chromium is None or not all(map(find_spec, ("streamlit", "playwright"))):
        print("Chromium, Streamlit or Playwright is not here: nothing is measured (make browser, make test)")
        return
    found = measured(chromium, sources, count)
    print(f"{sources} sources, {count} moves of a slider, milliseconds (median, least, most)")
    for what, times in zip(("forecast", "charts"), zip(*found, strict=True), strict=True):
        print(f"{what:10}{statistics.median(times):8.0f}{min(times):8.0f}{max(times):8.0f}")


if __name__ == "__main__":
    main()
