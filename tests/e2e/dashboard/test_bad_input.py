"""What is missing, broken, forbidden or made up is shown plainly, with what to do."""

from __future__ import annotations

import pytest

from tests.e2e.dashboard.conftest import Served
from tests.e2e.dashboard.kinds import MARKUP
from tests.e2e.dashboard.visiting import TABS, Visitor


def test_an_unknown_job_is_said_to_be_unknown(visitor: Visitor) -> None:
    visitor.expected = ("404",)
    visitor.open("#/jobs/0123456789abcdef0123456789abcdef")
    visitor.see("Not found")


def test_an_address_that_is_none_leads_back_to_the_jobs(visitor: Visitor) -> None:
    visitor.open("#/nonsense/of/any?kind=1")
    visitor.heading("There is no such page")
    visitor.click("link", "See all jobs")
    visitor.heading("Jobs")


def test_an_unknown_choice_is_dropped_from_the_address_and_told(
    visitor: Visitor, served: Served
) -> None:
    visitor.expected = ("404",)
    unknown, known = "0" * 32, served.kinds.architectures[0]
    visitor.open(f"{served.job('whole')}?select={known},{unknown}")
    visitor.see(f"no architecture {unknown}")
    visitor.page.wait_for_url(f"**select={known}*")
    assert unknown not in visitor.page.url


def test_a_failed_job_says_why_and_what_to_do(visitor: Visitor, served: Served) -> None:
    visitor.open(served.job("failed"))
    visitor.see("The job failed")
    visitor.see("dataset digits: it could not be read.")
    visitor.see("Look at the disk, then retry")
    visitor.see("No trial has completed")
    visitor.page.get_by_role("button", name="Retry").wait_for()


def test_a_job_without_a_trial_that_completed_has_no_front_but_a_reason(
    visitor: Visitor, served: Served
) -> None:
    visitor.open(served.job("none"))
    visitor.see("No trial has completed")


def test_a_front_of_one_point_is_drawn_and_can_be_chosen(visitor: Visitor, served: Served) -> None:
    visitor.open(served.job("one"))
    visitor.drawn()
    visitor.see("One point on the front")
    visitor.see("None of them keeps within the budget")
    visitor.page.locator(".front-table tbody tr").click()
    visitor.page.wait_for_url("**select=*")


def test_trials_that_came_to_nan_are_left_out_of_the_front_and_break_nothing(
    visitor: Visitor, served: Served
) -> None:
    visitor.open(f"{served.job('nan')}?dominated=1&tab=curves")
    visitor.drawn()
    visitor.see("One point on the front")
    row = visitor.page.locator(".front-table tbody tr").inner_text()
    assert "–" in row.split("\t")  # it was not tested
    visitor.see("the loss became NaN")  # as the reason beside the curves
    assert "NaN" not in visitor.page.locator(".overview").inner_text()


def test_names_with_markup_are_shown_as_they_are(visitor: Visitor, served: Served) -> None:
    visitor.expected = ("404",)  # a backbone of that name cannot be built for its shapes
    page = visitor.page
    for tab in TABS:
        visitor.open(f"{served.job('markup')}?dominated=1&tab={tab}")
        visitor.drawn()
        visitor.settle()
        assert page.locator("main img, main b").count() == 0, tab
    visitor.heading(f"{MARKUP} on digits")
    page.locator(".front-chart .points path").first.hover(force=True)
    page.locator(".hoverlayer .hovertext").first.wait_for(state="attached")
    assert page.locator("main img, main b").count() == 0
    assert page.title() != "hacked"


def test_a_network_that_cannot_be_built_is_said_once(visitor: Visitor, served: Served) -> None:
    visitor.expected = ("404",)
    for view, query in (("shapes", ""), ("compare", "?tab=compare")):
        visitor.open(served.job("markup") + query)
        if view == "compare":
            visitor.drawn()
            for row in visitor.page.locator(".front-table tbody tr").all()[:2]:
                row.click(modifiers=["Shift"])
        visitor.page.locator(f"#panel-{view} .problem").wait_for()
        visitor.settle()
        assert visitor.page.locator(f"#panel-{view} .problem").count() == 1


def test_names_with_markup_are_shown_as_they_are_in_the_list(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.see(MARKUP)
    assert visitor.page.locator("main img, main b").count() == 0


@pytest.mark.parametrize(("kind", "why"), [("revoked", "was revoked at"), ("expired", "expired")])
def test_a_key_that_is_over_says_so_and_leads_to_signing_in(
    visitor: Visitor, served: Served, kind: str, why: str
) -> None:
    visitor.expected = ("401",)
    page = visitor.page
    page.goto(f"{visitor.url}/#token={served.kinds.keys[kind]}")
    visitor.heading("Sign in")
    visitor.see(why)
    page.get_by_label("Token or API key").fill("nonsense")
    visitor.click("button", "Sign in")
    visitor.see("Not signed in")
    page.get_by_label("Token or API key").fill(served.token)
    visitor.click("button", "Sign in")
    visitor.heading("Jobs")


def test_a_key_that_may_only_read_is_told_so_where_it_would_write(
    visitor: Visitor, served: Served
) -> None:
    visitor.expected = ("403",)
    visitor.token = served.kinds.keys["reader"]
    visitor.open("#/submit")
    visitor.see("Can be reached")
    visitor.click("button", "Submit the job")
    visitor.see("Not allowed")


def test_a_budget_that_cannot_be_reached_is_told_at_its_field_with_the_nearest(
    visitor: Visitor,
) -> None:
    visitor.open("#/submit")
    visitor.see("Can be reached")
    visitor.page.get_by_label("Budget, GMACs of one sample").fill("0.0000001")
    visitor.see("below the smallest that can be reached")
    visitor.page.get_by_role("button", name="Use 0.00").click()
    visitor.page.get_by_text("below the smallest").wait_for(state="hidden")
