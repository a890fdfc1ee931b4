"""Every view: what axe finds, by keyboard alone, and from its address."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

from tests.e2e.dashboard.conftest import Served
from tests.e2e.dashboard.visiting import TABS, Visitor

SERIOUS = {"serious", "critical"}
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
PHONE = {"width": 360, "height": 740}
OVERLAPPING = """() => {
  const covered = (chart) => {
    const boxes = [...chart.querySelectorAll(".xtick text")]
      .map((label) => label.getBoundingClientRect())
      .sort((one, other) => one.left - other.left);
    return boxes.slice(1).filter((box, at) => box.left < boxes[at].right).length;
  };
  return [...document.querySelectorAll(".ladder-chart")].map(covered).filter((count) => count > 0);
}"""


def with_choice(served: Served, tab: str) -> str:
    """A job's page, two of whose points are compared."""
    one, *_, two = served.kinds.architectures
    return f"{served.job('whole')}?dominated=1&select={one},{two}&tab={tab}"


def addresses(served: Served) -> list[str]:
    """All views, with what they show when something is chosen."""
    fronts = f"#/fronts?job={served.kinds.jobs['whole']}&job={served.kinds.jobs['one']}"
    kinds = [served.job(kind) for kind in ("failed", "none")]
    tabs = [with_choice(served, tab) for tab in TABS]
    return ["#/", "#/submit", "#/nowhere", fronts, *kinds, *tabs]


def serious(
    visitor: Visitor, place: str | None = None, options: dict[str, Any] | None = None
) -> list[tuple[str, str]]:
    """What axe finds that keeps somebody out, on the page or in a part of it."""
    findings = Axe().run(visitor.page, place, options).response["violations"]
    kept_out = [each for each in findings if each["impact"] in SERIOUS]
    return [(each["id"], each["nodes"][0]["html"][:200]) for each in kept_out]


def test_no_view_has_a_serious_finding_of_axe(visitor: Visitor, served: Served) -> None:
    visitor.page.goto(visitor.url)
    visitor.heading("Sign in")
    assert serious(visitor) == []
    visitor.sign_in()
    for address in addresses(served):
        visitor.open(address)
        visitor.settle()
        # What stands above the tabs is the same with each of them.
        tab = next((tab for tab in TABS[1:] if address.endswith(f"tab={tab}")), None)
        place = f"#panel-{tab}" if tab else None
        assert serious(visitor, place) == [], address


def test_dark_colours_keep_their_contrast(visitor: Visitor, served: Served) -> None:
    visitor.page.emulate_media(color_scheme="dark")
    for address in (with_choice(served, "shapes"), "#/"):
        visitor.open(address)
        visitor.settle()
        assert serious(visitor, options=COLOURS) == [], address


def test_a_phone_shows_every_view_without_scrolling_sideways(
    visitor: Visitor, served: Served
) -> None:
    visitor.expected = ("404",)  # a backbone of that name cannot be built for its shapes
    visitor.page.set_viewport_size(PHONE)
    for address in [*addresses(served), served.job("markup")]:
        visitor.open(address)
        visitor.settle()
        assert visitor.page.evaluate("document.scrollingElement.scrollWidth") <= 360, address
        assert visitor.page.evaluate(OVERLAPPING) == [], address


def test_a_ladder_scrolls_in_a_box_of_its_own_that_the_keyboard_reaches(
    visitor: Visitor, served: Served
) -> None:
    visitor.page.set_viewport_size(PHONE)
    visitor.open(served.job("whole"))
    visitor.settle()
    box = visitor.page.get_by_role("region", name="Every map to scale")
    box.focus()
    visitor.page.keyboard.press("ArrowRight")
    visitor.until("document.activeElement.scrollLeft > 0")


def test_every_view_is_reached_and_used_by_keyboard_alone(visitor: Visitor, served: Served) -> None:
    press = visitor.page.keyboard.press
    visitor.sign_in()
    visitor.tab_to("Submit a job")
    press("Enter")
    visitor.heading("Submit a job")
    visitor.settle()
    visitor.tab_to("Submit the job")

    visitor.page.goto(f"{visitor.url}/{served.job('whole')}")
    visitor.drawn()
    visitor.page.locator("h1").focus()
    visitor.tab_to("Best under the budget")
    press("Enter")
    visitor.page.wait_for_url("**select=*")
    chosen = visitor.page.url
    visitor.page.locator(".front-table tbody tr[tabindex='0']").focus()
    press("Home")
    press("Shift+Enter")
    visitor.until(f"location.href !== {chosen!r}")

    visitor.tab_to("Shapes")
    for tab in TABS[1:]:
        press("ArrowRight")
        visitor.page.locator(f"#panel-{tab}").wait_for(state="visible")


def test_fronts_are_laid_over_one_another_by_keyboard_alone(
    visitor: Visitor,
) -> None:
    visitor.sign_in()
    visitor.settle()
    for _ in range(2):
        visitor.tab_to("Compare the front of")
        visitor.page.keyboard.press("Space")
    visitor.tab_to("Lay the fronts over one another")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url("**#/fronts?job=*")
    visitor.settle()
    two = visitor.page.url
    visitor.tab_to("One more job")
    visitor.page.keyboard.press("ArrowDown")
    assert visitor.page.url == two  # looking through the list adds nothing
    visitor.tab_to("Add")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url(f"{two}&job=*")


def test_the_skip_link_comes_first_and_leads_to_the_content(visitor: Visitor) -> None:
    visitor.sign_in()
    first = "document.querySelector('a, button, input').textContent"
    assert visitor.page.evaluate(first) == "Skip to the content"
    visitor.page.locator("#skip").focus()
    visitor.page.keyboard.press("Enter")
    assert visitor.page.evaluate("document.activeElement.id") == "main"


def test_the_address_restores_choice_filter_and_tab(visitor: Visitor, served: Served) -> None:
    one, two, *_ = served.kinds.architectures
    visitor.open(f"{served.job('whole')}?dominated=1&select={one},{two}&tab=compare")
    visitor.reload()
    visitor.drawn()
    page = visitor.page
    assert page.get_by_role("tab", selected=True).inner_text() == "Compare"
    assert page.get_by_label("dominated trials too").is_checked()
    chosen = page.locator(".front-table tr[aria-selected=true]")
    assert {row.get_attribute("data-id") for row in chosen.all()} == {one, two}


def test_a_choice_is_linked_over_chart_table_and_address(visitor: Visitor, served: Served) -> None:
    visitor.open(served.job("whole"))
    visitor.drawn()
    page = visitor.page
    row = page.locator(".front-table tbody tr").nth(1)
    chosen = row.get_attribute("data-id")
    row.click()
    page.wait_for_url(f"**select={chosen}*")
    page.get_by_role("list", name="Chosen").get_by_text("GMACs").wait_for()
    page.go_back()
    visitor.until("!document.querySelector('.front-table tr[aria-selected=true]')")
