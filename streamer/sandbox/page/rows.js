// How are the rows of what arrives shown, and one of them in full?

import { byId, make } from "./dom.js";
import { indent } from "./json_text.js";

const shownRows = new Map(); // number -> { element, text }
let opened = null; // the row that is shown in full
let chooseFilter = () => {};

const OUTCOMES = {
  accepted: "accepted", ignored: "ignored", refused: "refused", "not-taken-in": "not taken in",
};
const ENDINGS = {
  dropped: "connection reset", cut: "answer cut", hung: "no answer", "caller-left": "caller left",
};

const clock = (ms) => {
  const at = new Date(ms);
  const two = (number) => String(number).padStart(2, "0");
  const parts = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return `${parts}.${String(at.getMilliseconds()).padStart(3, "0")}`;
};

const ending = (row) => ENDINGS[row.ending] ?? row.ending;

/** What was wrong, in a line; empty for nothing. */
function reason(row) {
  if (row.error) {
    const violations = row.error.data?.fieldViolations ?? [];
    const first = violations[0];
    const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
    return first ? `${first.field} ${first.description}${more}` : row.error.description;
  }
  if (row.outcome === "not-taken-in") return `a fault came before: ${ending(row)}`;
  if (row.outcome === "ignored") {
    return row.repeat_of === null ? "its key was used up" : `its key came before, with entry ${row.repeat_of}`;
  }
  if (row.outcome === "accepted" && row.ending !== "200") {
    return `the caller was told otherwise: ${ending(row)}`;
  }
  return "";
}

function badges(row) {
  const found = [make("span", { class: `badge ${row.outcome}` }, OUTCOMES[row.outcome])];
  const code = row.error?.code;
  if (row.ending !== "200" || code) {
    found.push(make("span", { class: "badge plain" }, [row.ending !== "200" ? ending(row) : null, code]
      .filter(Boolean).join(" ")));
  }
  if (row.cancelled_by !== null) found.push(make("span", { class: "badge cancelled" }, "cancelled"));
  return found;
}

const callName = (row) => (row.bulk_index === null ? row.call : `${row.call} [${row.bulk_index}]`);

function cells(row) {
  const cancel = row.call === "cancel" || row.call === "bulk-cancel";
  const none = (text, word) => (text === null ? make("span", { class: "muted" }, word) : make("bdi", {}, text));
  const came = row.came > 1 ? make("span", { class: "came", title: "how often this key came" }, `×${row.came}`) : null;
  const button = make("button", {
    type: "button", class: "open", tabindex: "-1", "aria-label": `Row ${row.number}: open`,
  }, String(row.number));
  const payload = row.payload === null ? "" : row.payload.text;
  return [
    make("td", { class: "when" }, button, make("time", {}, clock(row.at_ms))),
    make("td", { class: "call" }, make("span", { class: cancel ? "kind cancel" : `kind ${row.call}` }, callName(row))),
    make("td", { class: "what" }, make("span", { class: "line" }, none(row.trigger, row.call === "token" ? "" : "no trigger")),
      make("span", { class: "line second" }, none(row.instance, "no instance"))),
    make("td", { class: "which" }, make("span", { class: "line mono" }, none(row.entity, "")),
      make("span", { class: "line second mono" }, none(row.idempotency_key, ""), came)),
    make("td", { class: "outcome" }, make("span", { class: "badges" }, ...badges(row)),
      make("span", { class: "line second reason" }, reason(row))),
    make("td", { class: "payload mono" }, make("bdi", {}, payload.slice(0, 300))),
  ];
}

function build(row, text) {
  const element = make("tr", { class: row.cancelled_by === null ? "" : "is-cancelled" }, ...cells(row));
  element.dataset.number = row.number;
  if (row.bulk_index !== null) element.classList.add("of-bulk");
  shownRows.set(row.number, { element, text, row });
  return element;
}

/** Shows these rows, oldest first, in the place of those shown; untouched ones stay as they are. */
export function showRows(rows) {
  const list = byId("row-list");
  const focused = document.activeElement?.closest?.("#row-list tr")?.dataset.number;
  const wanted = new Set(rows.map((row) => row.number));
  for (const [number, { element }] of shownRows) {
    if (!wanted.has(number)) { element.remove(); shownRows.delete(number); }
  }
  let place = list.firstElementChild;
  let above = null;
  for (const row of [...rows].reverse()) {
    const text = JSON.stringify(row);
    const known = shownRows.get(row.number);
    let element = known?.element;
    if (!known || known.text !== text) {
      element = build(row, text);
      if (known) { if (place === known.element) place = place.nextElementSibling; known.element.replaceWith(element); }
    }
    if (element !== place) list.insertBefore(element, place);
    else place = place.nextElementSibling;
    // Rows of one bulk call stand together: the first of them begins the bracket.
    element.classList.toggle("bulk-first", row.bulk_index !== null && above?.request_id !== row.request_id);
    above = row;
  }
  setTabStop(list, focused);
  if (opened !== null) markOpened();
  const anew = opened && shownRows.get(opened.number);
  if (anew && JSON.stringify(opened) !== anew.text) openRow(anew.row, false);
}

/** One row can be reached by the tab key; the arrow keys go to the others. */
function setTabStop(list, focused) {
  const buttons = [...list.querySelectorAll("button.open")];
  const chosen = focused && list.querySelector(`tr[data-number="${focused}"] button.open`);
  for (const button of buttons) button.tabIndex = -1;
  const stop = chosen || buttons[0];
  if (stop) stop.tabIndex = 0;
  if (focused && document.activeElement !== stop) (chosen || buttons.at(-1))?.focus();
}

function markOpened() {
  for (const { element, row } of shownRows.values()) {
    element.classList.toggle("is-open", opened !== null && row.number === opened.number);
  }
}

const closeRow = () => {
  const number = opened?.number;
  opened = null;
  byId("detail").hidden = true;
  markOpened();
  byId("row-list").querySelector(`tr[data-number="${number}"] button.open`)?.focus();
};

function fact(word, value, filter) {
  if (value === null || value === undefined || value === "") return [];
  const button = filter
    ? make("button", { type: "button", class: "quiet", onclick: () => chooseFilter(filter, String(value)) }, "only this")
    : null;
  return [make("dt", {}, word), make("dd", {}, make("bdi", {}, String(value)), " ", button ?? "")];
}

function openRow(row, focus = true) {
  opened = row;
  byId("detail").hidden = false;
  byId("detail-title").textContent = `Row ${row.number}: ${callName(row)} ${OUTCOMES[row.outcome]}`;
  const violations = row.error?.data?.fieldViolations ?? [];
  const why = reason(row);
  byId("detail-body").replaceChildren(
    make("dl", {},
      ...fact("Outcome", OUTCOMES[row.outcome]),
      ...fact("Answered", ending(row)),
      ...fact("Why", why),
      ...fact("Error code", row.error?.code),
      ...fact("Error", row.error && row.error.description !== why ? row.error.description : null),
      ...fact("Ended by", row.cancelled_by === null ? null : `the cancel with entry ${row.cancelled_by}`),
      ...fact("Trigger", row.trigger, "trigger"),
      ...fact("Instance", row.instance, "instance"),
      ...fact("App", row.app),
      ...fact("Entity", row.entity, "entity"),
      ...fact("Idempotency key", row.idempotency_key, "key"),
      ...fact("Key came", row.came === null ? null : `${row.came} ${row.came === 1 ? "time" : "times"}`),
      ...fact("Entry in the ledger", row.ledger_number),
      ...fact("Request id", row.request_id, row.bulk_index === null ? null : "request_id"),
      ...fact("At", new Date(row.at_ms).toISOString())),
    violations.length ? make("ul", { class: "violations" }, ...violations.map((it) =>
      make("li", {}, make("code", {}, it.field), ` ${it.description} `,
        make("span", { class: "muted" }, it.ruleName || it.violatedRule)))) : "",
    row.payload === null ? "" : make("pre", { tabindex: "0", "aria-label": "Payload" }, indent(row.payload.text)),
    make("p", {}, row.payload?.cut ? `The payload has ${row.payload.bytes} bytes; its beginning is shown. ` : "",
      make("a", { href: `/sandbox/journal?after=${row.number - 1}&limit=1`, target: "_blank", rel: "noopener" },
        "The whole row as JSON")),
  );
  markOpened();
  if (focus) byId("detail").focus();
}

/** Has rows opened by click and key; `choose(name, value)` sets a filter. */
export function wireRows(choose) {
  chooseFilter = choose;
  const list = byId("row-list");
  list.addEventListener("click", (event) => {
    const number = event.target.closest("tr")?.dataset.number;
    if (number && getSelection().isCollapsed) openRow(shownRows.get(Number(number)).row);
  });
  list.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const next = {
      ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling,
      Home: list.firstElementChild, End: list.lastElementChild,
    }[event.key];
    if (!next) return;
    event.preventDefault();
    next.querySelector("button.open").focus();
    setTabStop(list, next.dataset.number);
  });
  byId("close-detail").addEventListener("click", closeRow);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && opened !== null) closeRow();
  });
}
