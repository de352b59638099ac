"""The sandbox's page in a real browser: what arrives is seen, what is switched takes effect."""

import subprocess
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.looking import App, View
from tests.unit.sandbox.calling import ENTITY, OTHER_ENTITY, REPORT, TRIGGER, an_entity, keyed

# --- what arrives -----------------------------------------------------------------------------


def test_an_empty_page_says_what_to_do_and_it_works(view: View, app: App) -> None:
    app.admin("reset", {})
    expect(view.page.locator("#empty")).to_contain_text("Nothing has arrived yet")
    command = view.page.locator("#try").inner_text()
    subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=30)
    expect(view.rows).to_have_count(2)
    expect(view.row(2)).to_contain_text("invoice_overdue")
    expect(view.row(2)).to_contain_text("inv-7-overdue")
    expect(view.page.locator("#empty")).to_be_hidden()


def test_a_report_is_shown_digit_for_digit_with_how_often_its_key_came(
    view: View, app: App
) -> None:
    body = (
        b'{"triggerKey":"%b","payload":{"n":9007199254740993,"d":120.50,"none":[],"a":[{"x":1}],'
        b'"t":"a\\"{,:"},"externalEntityId":"%b","idempotency":{"key":"k-1"}}'
    ) % (TRIGGER.encode(), ENTITY.encode())
    app.send(REPORT, body)
    app.send(REPORT, body)
    row = view.row(2)
    for text in (TRIGGER, "site-1", ENTITY, "k-1", "\u00d72", "accepted", '"d":120.50'):
        expect(row).to_contain_text(text)
    expect(view.row(3)).to_contain_text("ignored")
    expect(view.row(3)).to_contain_text("its key came before, with entry 1")
    row.click()
    shown = view.detail.locator("pre").inner_text()
    assert shown.split("\n") == [
        "{",
        '  "n": 9007199254740993,',
        '  "d": 120.50,',
        '  "none": [],',
        '  "a": [',
        "    {",
        '      "x": 1',
        "    }",
        "  ],",
        '  "t": "a\\"{,:"',
        "}",
    ]
    expect(view.count("accepted")).to_have_text("1")
    expect(view.count("ignored repeats")).to_have_text("1")


def test_a_refused_report_says_why(view: View, app: App) -> None:
    app.report(payload={"who": {"name": "x"}, "n": None})
    row = view.row(2)
    expect(row).to_contain_text("refused")
    expect(row).to_contain_text("400")
    expect(row).to_contain_text("payload.who")
    row.click()
    expect(view.detail.locator(".violations li")).to_have_count(2)
    expect(view.detail).to_contain_text("payload.n is null: leave the property out")


def test_a_cancel_marks_what_it_ended(view: View, app: App) -> None:
    app.report(externalEntityId=ENTITY)
    app.report(externalEntityId=OTHER_ENTITY)
    expect(view.row(3)).to_contain_text("accepted")
    app.cancel(ENTITY)
    expect(view.row(2).locator(".badge.cancelled")).to_have_text("cancelled")
    expect(view.row(3).locator(".badge.cancelled")).to_have_count(0)
    expect(view.count("activations cancelled")).to_have_text("1")


def test_the_items_of_a_bulk_call_stand_together(view: View, app: App) -> None:
    app.report()
    app.bulk_report(*({"payload": {"n": n}, "externalEntityId": an_entity(n)} for n in range(3)))
    app.bulk_cancel(an_entity(1))
    expect(view.rows).to_have_count(6)
    expect(view.page.locator("tr.of-bulk")).to_have_count(4)
    expect(view.page.locator("tr.bulk-first")).to_have_count(2)
    item = view.rows.filter(has_text="bulk-report [1]")
    expect(item.locator(".badge.cancelled")).to_have_count(1)
    item.click()
    view.detail.get_by_role("button", name="only this").last.click()
    expect(view.rows).to_have_count(3)
    view.button("Clear filters").click()
    expect(view.rows).to_have_count(6)


def test_filters_choose_what_is_shown(view: View, app: App) -> None:
    app.report(idempotency=keyed("k-1"))
    app.report(trigger="order_paid", idempotency=keyed("k-2"))
    app.report(trigger="order_paid", payload={"n": None})
    page = view.page
    expect(view.rows).to_have_count(4)
    page.get_by_label("Trigger", exact=True).fill("order_paid")
    expect(view.rows).to_have_count(2)
    page.get_by_label("Outcome").select_option("refused")
    expect(view.rows).to_have_count(1)
    page.get_by_label("Idempotency key", exact=True).fill("none of it")
    expect(page.locator("#no-fit")).to_be_visible()
    view.button("Clear filters").click()
    expect(view.rows).to_have_count(4)
    page.locator("#trigger-list").get_by_role("button", name=TRIGGER).click()
    expect(view.rows).to_have_count(1)


def test_much_that_arrives_shows_the_newest_and_costs_one_question_a_second(
    view: View, app: App
) -> None:
    app.admin("settings", {"quota": "none"})
    asked = view.lives
    for call in range(60):
        app.bulk_report(*({"payload": {"n": 100 * call + item}} for item in range(100)))
    expect(view.count("accepted")).to_have_text("6,000")
    expect(view.rows).to_have_count(100)
    assert view.rows.first.get_attribute("data-number") == "6001"
    view.page.get_by_label("Newest").select_option("50")
    expect(view.rows).to_have_count(50)
    # Everything above took seconds; a page that asked for each row would have asked thousands.
    assert view.lives - asked < 60
    app.admin("settings", {"quota": "200/min"})


def test_a_paused_list_stays_and_the_counts_go_on(view: View, app: App) -> None:
    app.report()
    expect(view.rows).to_have_count(2)
    view.button("Pause the list").click()
    expect(view.state).to_have_text("The list is paused")
    app.report()
    expect(view.count("accepted")).to_have_text("2")
    expect(view.rows).to_have_count(2)
    view.button("Go on").click()
    expect(view.rows).to_have_count(3)


def test_a_long_payload_is_cut_and_says_so(view: View, app: App) -> None:
    app.report(payload={"text": "long " * 2_000})
    view.row(2).click()
    expect(view.detail).to_contain_text("The payload has 10011 bytes; its beginning is shown.")
    href = view.detail.get_by_role("link", name="The whole row as JSON").get_attribute("href")
    assert href == "/sandbox/journal?after=1&limit=1"


# --- what comes from outside is text ----------------------------------------------------------

HOSTILE = (
    "<script>window.ran=1;alert(1)</script>",
    "<img src=/stolen onerror='window.ran=2'>",
    "\"><svg onload='window.ran=3'>",
    "javascript:window.ran=4",
    "{{7*7}}${window.ran=5}",
)


def nothing_ran(page: Page) -> bool:
    ran: int = page.evaluate("window.ran")
    strange = page.locator("img, iframe, object, embed, script:not([src]), #row-list svg, [onload]")
    return ran == 0 and bool(strange.count() == 0)


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_arrives_is_shown_as_text_and_runs_nothing(
    view: View, app: App, text: str
) -> None:
    view.page.on("dialog", lambda dialog: view.complaints.append(dialog.message))
    app.token = app.ask_token(instance=text).json()["access_token"]
    app.report(trigger=text, payload={"text": text}, idempotency=keyed(text))
    app.report(trigger=text, payload={text: 1}, externalEntityId=text)
    app.admin("faults", {"add": [{"status": 500, "share": 0.01, "trigger": text}]})
    row = view.row(3)
    expect(row.locator(".what")).to_contain_text(text)
    expect(row.locator(".which")).to_contain_text(text)
    expect(row.locator(".payload")).to_contain_text(text.replace('"', '\\"'))
    expect(view.row(4).locator(".outcome")).to_contain_text("refused")
    for number in (3, 4):
        view.row(number).click()
        expect(view.detail.locator("pre")).to_contain_text(text.replace('"', '\\"'))
    expect(view.page.locator("#instance-list")).to_contain_text(text)
    expect(view.page.locator("#trigger-list")).to_contain_text(text)
    expect(view.on_now).to_contain_text(text)
    view.on_now.get_by_role("button").click()
    expect(view.on_now).to_have_count(0)
    assert nothing_ran(view.page)


def test_the_policy_stops_a_script_that_got_in_all_the_same(view: View) -> None:
    stopped = """() => {
        const script = document.createElement("script");
        try { script.textContent = "window.ran = 6"; document.body.append(script); } catch { }
        try { document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.ran=7'>"); }
        catch { }
        return window.ran;
    }"""
    assert view.page.evaluate(stopped) == 0
    assert any("The action has been blocked" in it for it in view.complaints)
    view.complaints.clear()


def test_no_token_and_no_secret_is_on_the_page(view: View, app: App) -> None:
    app.report()
    expect(view.rows).to_have_count(2)
    page = view.page
    page.get_by_label("App id").fill("app-2")
    page.get_by_label("New secret").fill("hush-hush")
    view.button("Change secret").click()
    expect(page.locator("#app-done")).to_contain_text("app-2 gets tokens for its new secret only")
    html = page.content()
    assert app.token not in html
    assert "hush-hush" not in html
    assert page.get_by_label("New secret").input_value() == ""


# --- pages of others --------------------------------------------------------------------------

# The browser asks nobody before it sends this. What the page learns of the answer does not count.
SEND = """(url) => fetch(url, { method: "POST", mode: "no-cors" }).then(() => {}, () => {})"""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])  # another site; another port of ours
def test_a_page_of_another_origin_cannot_start_the_sandbox_over(
    browser: Browser, app: App, other_server: int, host: str
) -> None:
    app.report()
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://{host}:{other_server}/")
    reset = f"{app.url}/sandbox/reset"
    with page.expect_request(reset):
        page.evaluate(SEND, reset)
    context.close()
    assert app.summary()["reports"] == 1


# --- switches ---------------------------------------------------------------------------------


def test_a_switch_turns_a_fault_on_and_off(view: View, app: App) -> None:
    switch = view.button("Outage: 503 for 30 s")
    switch.click()
    expect(view.on_now).to_contain_text("All reports and cancels answer 503")
    expect(view.on_now).to_contain_text("s left")
    expect(switch).to_have_attribute("aria-pressed", "true")
    assert app.report().status_code == 503
    expect(view.row(2)).to_contain_text("not taken in")
    switch.click()
    expect(view.page.locator("#now-none")).to_be_visible()
    expect(switch).to_have_attribute("aria-pressed", "false")
    assert app.report().status_code == 200


def test_a_fault_is_put_together_from_fields(view: View, app: App) -> None:
    page = view.page
    page.get_by_text("Another fault").click()
    page.get_by_label("What goes wrong").select_option("item")
    page.get_by_label("Code").fill("NOT_FOUND")
    page.get_by_label("Share").fill("100%")
    page.get_by_label("Taken in before it fails").check()
    page.get_by_label("Only this trigger").fill("order paid's")
    words = page.get_by_label("In words")
    expect(words).to_have_value("item:NOT_FOUND=100% after 'trigger=order paid'\"'\"'s'")
    page.get_by_label("Only this trigger").fill(TRIGGER)
    view.button("Switch on").click()
    expect(view.on_now).to_contain_text("All items of bulk calls fail with NOT_FOUND")
    result = app.bulk_report({"payload": {}}).json()["results"][0]["itemMetadata"]
    assert result["error"]["code"] == "NOT_FOUND"
    row = view.rows.filter(has_text="bulk-report [0]")
    expect(row).to_contain_text("accepted")
    expect(row).to_contain_text("NOT_FOUND")
    view.button("End all faults").click()
    expect(view.on_now).to_have_count(0)


def test_every_kind_of_fault_of_the_form_is_one(view: View, app: App) -> None:
    page = view.page
    page.get_by_text("Another fault").click()
    kinds = page.locator("#fault-kind option").evaluate_all("all => all.map(it => it.value)")
    assert len(kinds) >= 13
    for kind in kinds:
        if kind != "refuse":
            page.get_by_label("What goes wrong").select_option(kind)
            view.button("Switch on").click()
            expect(view.on_now.first.locator("code")).to_have_text(
                page.get_by_label("In words").input_value()
            )
    expect(view.on_now).to_have_count(len(kinds) - 1)
    expect(page.locator("#fault-error")).to_be_empty()


def test_wrong_words_are_told_beside_the_form(view: View) -> None:
    page = view.page
    page.get_by_text("Another fault").click()
    page.get_by_label("In words").fill("500=lots")
    view.button("Switch on").click()
    expect(page.locator("#fault-error")).to_contain_text("write it as 5%")
    expect(view.on_now).to_have_count(0)
    view.complaints.clear()  # the browser itself tells of the 400


def test_a_refused_door_is_told_and_the_page_comes_back(view: View, app: App) -> None:
    app.admin("faults", {"add": ["refuse in=2s for=3s"]})
    expect(view.on_now).to_contain_text("begins in")
    expect(view.state).to_have_text(
        "The sandbox refuses connections: a fault that is on. Trying again"
    )
    expect(view.state).to_have_text("Live")
    view.complaints.clear()  # the browser itself tells of refused connections


def test_the_quota_is_shown_and_changed(view: View, app: App) -> None:
    page = view.page
    quota = page.get_by_label("Quota of an instance")
    expect(quota).to_have_value("200/min")
    quota.fill("3/min")
    quota.press("Tab")
    instance = page.locator("#instance-list li")
    app.report()
    expect(instance).to_contain_text("1 of 3 in the last minute")
    statuses = [app.report().status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    expect(instance).to_contain_text("2 over quota")
    expect(view.row(6)).to_contain_text("RESOURCE_EXHAUSTED")
    quota.fill("many")
    quota.press("Tab")
    expect(page.locator("#settings-error")).to_contain_text("write one as 200/min, or none")
    view.complaints.clear()  # the browser itself tells of the 400
    quota.fill("200/min")
    quota.press("Tab")
    expect(page.locator("#settings-error")).to_be_empty()
    assert app.report().status_code == 200


def test_an_instance_is_uninstalled_and_installed_again(view: View, app: App) -> None:
    app.report()
    view.button("Uninstall site-1").click()
    expect(view.page.locator("#instance-list")).to_contain_text("uninstalled")
    assert app.report().status_code == 401
    assert app.ask_token().json()["error"] == "invalid_grant"
    expect(view.row(4)).to_contain_text("no such instance of the app")
    view.button("Install site-1").click()
    expect(view.page.locator("#instance-list")).not_to_contain_text("uninstalled")
    assert app.ask_token().status_code == 200
    view.page.get_by_label("Another instance").fill("site-7")
    view.page.locator("#instance-form").get_by_role("button", name="Uninstall").click()
    expect(view.button("Install site-7")).to_be_visible()
    assert app.ask_token(instance="site-7").status_code == 400


def test_a_secret_is_changed(view: View, app: App) -> None:
    page = view.page
    page.get_by_label("App id").fill("app-1")
    page.get_by_label("New secret").fill("secret-2")
    page.get_by_label("End the tokens that it has").check()
    page.get_by_label("New secret").press("Enter")
    expect(page.locator("#apps-known")).to_contain_text("app-1")
    assert app.report().status_code == 401
    assert app.ask_token().json()["error"] == "invalid_client"
    assert app.ask_token(secret="secret-2").status_code == 200
    app.admin("apps", {"app": "app-1", "secret": "secret-1"})


def test_starting_over_forgets_all_and_asks_before(view: View, app: App) -> None:
    app.report()
    app.admin("faults", {"add": ["500"]})
    expect(view.rows).to_have_count(2)
    view.page.once("dialog", lambda dialog: dialog.dismiss())
    view.button("Start over").click()
    expect(view.rows).to_have_count(2)
    view.page.once("dialog", lambda dialog: dialog.accept())
    view.page.get_by_label("End all faults too").check()
    view.button("Start over").click()
    expect(view.page.locator("#empty")).to_be_visible()
    expect(view.rows).to_have_count(0)
    expect(view.on_now).to_have_count(0)
    assert app.report().status_code == 200


# --- by keyboard, in the dark, on a telephone ---------------------------------------------------


def test_the_list_is_walked_through_by_keyboard(view: View, app: App) -> None:
    for number in range(3):
        app.report(payload={"n": number})
    expect(view.rows).to_have_count(4)
    view.page.get_by_label("Newest").focus()
    keyboard = view.page.keyboard
    keyboard.press("Tab")
    keyboard.press("ArrowDown")
    expect(view.row(3).locator("button.open")).to_be_focused()
    app.report()
    expect(view.rows).to_have_count(5)
    expect(view.row(3).locator("button.open")).to_be_focused()
    keyboard.press("Enter")
    expect(view.detail).to_be_focused()
    expect(view.detail).to_contain_text("Row 3")
    keyboard.press("Escape")
    expect(view.detail).to_be_hidden()
    expect(view.row(3).locator("button.open")).to_be_focused()
    keyboard.press("End")
    expect(view.row(1).locator("button.open")).to_be_focused()


def test_focus_stays_where_it_is_while_the_page_is_live(view: View, app: App) -> None:
    app.report()
    uninstall = view.button("Uninstall site-1")
    uninstall.focus()
    for _ in range(2):
        app.report()
    expect(view.page.locator("#instance-list")).to_contain_text("3 of 200")
    expect(uninstall).to_be_focused()


def test_focus_stays_on_a_fault_whose_words_would_end_a_selector(view: View, app: App) -> None:
    app.admin("faults", {"add": ["500=0% for=80s 'trigger=a\"]b'"]})
    end = view.on_now.get_by_role("button")
    end.focus()
    expect(view.on_now).not_to_have_text(view.on_now.text_content() or "")  # a second less is left
    expect(end).to_be_focused()
    expect(view.state).to_have_text("Live")


def test_everything_that_can_be_used_has_a_name(view: View, app: App) -> None:
    app.report()
    expect(view.rows).to_have_count(2)
    view.page.get_by_text("Another fault").click()
    nameless = view.page.evaluate(
        """() => [...document.querySelectorAll("button, input:not([type=hidden]), select")].filter(
            (it) => !(it.labels?.length || it.getAttribute("aria-label") || it.textContent.trim())
        ).map((it) => it.outerHTML)"""
    )
    assert nameless == []


def fill(app: App) -> None:
    """Something of everything."""
    app.report(
        payload={"invoiceId": "inv-7", "amount": 120.5, "lines": [{"sku": "a-1", "qty": 2}]},
        externalEntityId=ENTITY,
        idempotency=keyed("inv-7-overdue"),
    )
    app.report(externalEntityId=ENTITY, idempotency=keyed("inv-7-overdue"))
    app.report(payload={"invoiceId": None, "customer": {"name": "x"}}, idempotency=keyed("inv-8"))
    app.bulk_report(
        *(
            {
                "payload": {"invoiceId": f"inv-{n}", "amount": 10 * n} if n != 11 else {"id": None},
                "externalEntityId": an_entity(n),
                "idempotency": keyed(f"inv-{n}-overdue"),
            }
            for n in range(9, 13)
        )
    )
    app.cancel(ENTITY)
    app.bulk_cancel(an_entity(9))
    app.admin("faults", {"faults": ["503 for=30m trigger=shipment_delayed", "latency=5ms..20ms"]})
    app.report(trigger="shipment_delayed")
    app.token = app.ask_token("a-site-with-a-name-that-is-rather-long-for-a-narrow-screen").json()[
        "access_token"
    ]
    app.report(trigger="a_trigger_with_a_rather_long_name_that_has_to_break_somewhere" + "e" * 39)
    app.admin("instances", {"uninstall": ["site-3"]})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("form", "width"), [("wide", 1360), ("tablet", 820), ("narrow", 360)])
def test_the_page_fits_its_screen(view: View, app: App, scheme: Any, form: str, width: int) -> None:
    fill(app)
    view.page.emulate_media(color_scheme=scheme)
    view.page.set_viewport_size({"width": width, "height": 800})
    expect(view.row(13)).to_contain_text("accepted")
    assert view.fits_its_width()
    view.picture(f"{form}-{scheme}")
    view.row(4).click()
    view.page.get_by_text("Another fault").click()
    assert view.fits_its_width()
    view.picture(f"{form}-{scheme}-open")
    app.admin("instances", {"install": ["site-3"]})
