"""What the page shows keeps in step with what its reader does, however slow the answers are."""

from __future__ import annotations

import re

from playwright.sync_api import Request, Route

from tests.e2e.dashboard.conftest import Served
from tests.e2e.dashboard.visiting import Visitor

CURVES = "document.querySelector('.curves-chart .chart-canvas').data"
LOW = "document.querySelector('.points .table-scroll').style.maxHeight = '110px'"
SEEN = """(() => {
  const chosen = document.querySelector(".front-table tr[aria-selected=true]");
  const row = chosen?.getBoundingClientRect();
  const box = document.querySelector(".points .table-scroll").getBoundingClientRect();
  return row !== undefined && row.top >= box.top && row.bottom <= box.bottom;
})()"""


def test_tabs_open_while_a_chosen_point_cannot_be_looked_up_and_it_is_tried_again(
    visitor: Visitor, served: Served
) -> None:
    visitor.expected = ("ERR_FAILED",)
    page, beaten = visitor.page, served.kinds.architectures[3]
    asked = re.compile(f"/v1/architectures/{beaten}$")
    page.route(asked, lambda route: route.abort())
    visitor.open(f"{served.job('whole')}?select={beaten}")
    visitor.see("The server does not answer")
    page.get_by_role("tab", name="Shapes").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.locator("#panel-compare").wait_for(state="visible")
    assert page.get_by_role("tab", selected=True).inner_text() == "Compare"
    page.unroute(asked)
    visitor.click("button", "Try again")
    page.get_by_role("list", name="Chosen").get_by_text("trial 3").wait_for()
    assert page.get_by_text("The server does not answer").count() == 0


def test_a_click_in_the_chart_brings_the_row_of_its_point_into_sight(
    visitor: Visitor, served: Served
) -> None:
    page = visitor.page
    visitor.open(served.job("whole"))
    visitor.drawn()
    visitor.settle()
    page.evaluate(LOW)
    page.locator(".front-table tbody tr").first.focus()
    last = page.locator(".front-chart .points path").last
    last.hover(force=True)
    page.locator(".front-table tr.hovered").wait_for(state="attached")
    last.click(force=True)
    page.wait_for_url("**select=*")
    visitor.until(SEEN)


def test_curves_that_are_no_longer_wanted_are_not_waited_for(
    visitor: Visitor, served: Served
) -> None:
    page, held = visitor.page, list[Route]()

    def unwanted(request: Request) -> bool:
        return request.url.endswith("figures/curves?trial=0")

    page.route(re.compile(r"figures/curves\?trial=0$"), lambda route: held.append(route))
    visitor.open(f"{served.job('whole')}?tab=curves")
    visitor.settle()
    wanted = page.get_by_label("trials", exact=True)
    wanted.fill("0")
    with page.expect_request(unwanted):
        wanted.press("Enter")
    wanted.fill("1")
    with page.expect_event("requestfailed", unwanted):
        wanted.press("Enter")
    visitor.until(f"{CURVES}.length > 0 && {CURVES}.every(({{ name }}) => name.includes('1'))")
