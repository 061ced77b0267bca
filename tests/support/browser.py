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
WIDTHS = [360, 800, 1400]
STRUCTURE = """() => ({
    lang: document.documentElement.lang,
    title: document.title,
    headings: [...document.querySelectorAll('h1, h2, h3')].map(heading => Number(heading.tagName[1])),
    tables: document.querySelectorAll('table').length,
    captions: document.querySelectorAll('table > caption').length,
    loose: document.querySelectorAll('th:not([scope])').length,
    deaf: [...document.querySelectorAll('div')].filter(box =>
        box.scrollWidth > box.clientWidth && !box.closest('[tabindex="0"][aria-label]')).length,
    scripts: document.scripts.length,
})"""
BACKGROUND = "() => getComputedStyle(document.body).backgroundColor"


def charts(page):
    """The images of the accessibility tree: their names and descriptions."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    images = [node for node in nodes if node.get("role", {}).get("value") in ("image", "img")]
    return [node.get("name", {}).get("value", "") for node in images]


def main():
    address = pathlib.Path(sys.argv[1]).resolve().as_uri()
    seen = {"console": [], "requests": [], "overflow": {}}
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
