"""Chromium, driven by Selenium, and what tests of pages that play a recording do in it."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains

# where the recording was sent to, and whether it then played: no time is lost in asking
NOTE_SEEKS = """
    const audio = document.querySelector("audio");
    window.seeks = [];
    audio.addEventListener("seeking", () => seeks.push(audio.currentTime));
"""


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.fail(
            "the page is tested in a browser: install Chromium and its driver "
            "(Debian: apt-get install chromium chromium-driver; `make test` tries to)"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-quic",
        "no-first-run", "disable-background-networking", "disable-component-update",
        "disable-sync", "force-device-scale-factor=1", "window-size=1000,800",
        "force-prefers-reduced-motion",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    session = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield session
    session.quit()


def opened(browser, html: Path) -> Iterator:
    """A page, loaded afresh, its sound ready; a test must leave no complaint behind."""
    browser.get(html.as_uri())
    wait(lambda: browser.execute_script("return document.querySelector('audio').readyState >= 3"))
    browser.execute_script(NOTE_SEEKS)
    yield browser
    assert browser.get_log("browser") == []


def wait(condition, seconds: float = 10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def check_plays_from(page, onset: float) -> None:
    """Assert that the recording was sent to a moment last, and goes on from there."""
    wait(lambda: abs((page.execute_script("return seeks.at(-1)") or 0) - onset) < 0.02)
    wait(lambda: now(page) > onset + 0.1)


def now(page) -> float:
    return page.execute_script("return document.querySelector('audio').currentTime")


def mark(page, number: int):
    """The mark of a notehead."""
    return page.find_element("css selector", f".head[data-head='{number}']")


def click(page, number: int) -> None:
    """Click a notehead, once the page stands still and it is clear of the player."""
    page.execute_script("audio.pause()")
    found = mark(page, number)
    page.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found
    )
    found.click()


def press(page, key) -> None:
    ActionChains(page).send_keys(key).perform()


def content(html: Path) -> dict:
    """What the page knows of the piece."""
    return json.loads(re.search(r'id="piece">(.*?)</script>', html.read_text(), re.S)[1])
