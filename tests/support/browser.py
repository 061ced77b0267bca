"""Opens a page in Chromium, and prints its requests, overflow, structure and accessible names as JSON."""

import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

# Root has no sandbox; background requests are off.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = [360, 390, 800, 1400]
STRUCTURE = """() => ({
    lang: document.documentElement.lang,
    title: document.title,
    headings: [...document.querySelectorAll('h1, h2, h3')].map(heading => Number(heading.tagName[1])),
    tables: document.querySelectorAll('table').length,
    captions: document.querySelectorAll('table > caption').length,
    loose: document.querySelectorAll('th:not([scope])').length,
    deaf: [...document.querySelectorAll('div')].filter(box => getComputedStyle(box).overflowX !== 'visible' &&
        box.scrollWidth > box.clientWidth && !box.closest('[tabindex="0"][aria-label]')).length,
    scripts: document.scripts.length,
})"""
# Labels that overlap, elements that scroll sideways, and elements that are cut at an edge of the window.
LAYOUT = """() => {
    const shown = [...document.querySelectorAll('.label, .axis span')].map(label => ({
        text: label.textContent, box: label.getBoundingClientRect() })).filter(label => label.box.width > 0);
    const touch = (one, other) => one.left < other.right && other.left < one.right
        && one.top < other.bottom && other.top < one.bottom;
    const all = [...document.querySelectorAll('body *')].filter(element => !element.closest('.aside, .skip, thead'));
    return {
        labels: shown.length,
        touching: shown.flatMap((one, index) => shown.slice(index + 1).filter(other => touch(one.box, other.box))
            .map(other => `${one.text} and ${other.text}`)),
        sideways: all.filter(element => ['auto', 'scroll'].includes(getComputedStyle(element).overflowX)
            && element.scrollWidth > element.clientWidth).map(element => element.outerHTML.slice(0, 80)),
        cut: all.map(element => ({ element, box: element.getBoundingClientRect() }))
            .filter(({ box }) => box.width > 0 && (box.left < 0 || box.right > innerWidth + 0.5))
            .map(({ element }) => element.outerHTML.slice(0, 80)),
    };
}"""
BACKGROUND = "() => getComputedStyle(document.body).backgroundColor"


def charts(page):
    """The images of the accessibility tree: their names and descriptions."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    images = [node for node in nodes if node.get("role", {}).get("value") in ("image", "img")]
    return [node.get("name", {}).get("value", "") for node in images]


def main():
    address = pathlib.Path(sys.argv[1]).resolve().as_uri()
    seen = {"console": [], "requests": [], "overflow": {}, "layout": {}}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        page = browser.new_page()
        page.on("console", lambda message: seen["console"].append(message.text))
        page.on("pageerror", lambda error: seen["console"].append(str(error)))
        page.on("request", lambda request: seen["requests"].append(request.url))
        page.goto(address)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            seen["overflow"][width] = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
            seen["layout"][width] = page.evaluate(LAYOUT)
        page.set_viewport_size({"width": 360, "height": 800})
        seen |= page.evaluate(STRUCTURE)
        seen["charts"] = charts(page)
        for name, media, scheme in [("light", "screen", "light"), ("dark", "screen", "dark"), ("print", "print", "dark")]:
            page.emulate_media(media=media, color_scheme=scheme)
            seen[name] = page.evaluate(BACKGROUND)
        page.emulate_media(media="screen", color_scheme="light")
        seen["pages"] = page.pdf(format="A4").count(b"/Type /Page\n")
        seen["address"] = address
        browser.close()
    print(json.dumps(seen))


main()
