// How does the page stay live? One call a second brings all that it shows; fewer while an answer
// takes long, none while nobody looks.

import { ask, Refused } from "./calls.js";
import { byId, copy } from "./dom.js";
import { quoted, showFaults, wireFaults } from "./faults.js";
import { showRows, wireRows } from "./rows.js";
import { showApps, showCounts, showInstances, showSettings, showTriggers, wireWorld } from "./world.js";

const EVERY_MS = 1000;
const REST = 20; // times as long as the sandbox took to answer: 5 % of its time is the most we take

let seen = "";
let timer = 0;
let asking = false;
let askAgain = false;
let paused = false;
let before = null; // calls counted and when, for the rate
let refusing = false; // a fault lets nobody in for a while

function filters() {
  const chosen = {};
  for (const [name, value] of new FormData(byId("filters"))) {
    if (value.trim()) chosen[name] = value.trim();
  }
  return chosen;
}

const isFiltered = () => Object.keys(filters()).some((name) => name !== "limit");

function choose(name, value) {
  byId("filters").elements[name].value = value;
  refresh();
}

function showRate(calls, run, atMs) {
  const counted = Object.entries(calls).filter(([call]) => call !== "redirected")
    .flatMap(([, ended]) => Object.values(ended)).reduce((sum, count) => sum + count, 0);
  if (before && before.run === run && counted >= before.counted && atMs > before.atMs) {
    const rate = ((counted - before.counted) * 1000) / (atMs - before.atMs);
    byId("rate").textContent = rate >= 0.5 ? `${Math.round(rate).toLocaleString("en")} calls a second` : "";
  }
  before = { counted, run, atMs };
}

function show(live, filtered) {
  byId("state").textContent = paused ? "The list is paused" : "Live";
  byId("state").className = paused ? "paused" : "live";
  refusing = live.faults.some((fault) => fault.fault.startsWith("refuse") && fault.ends_in_s !== 0);
  showRate(live.calls, live.run, live.at_ms);
  showCounts(live.totals, live.calls);
  showFaults(live.faults);
  showSettings(live.settings);
  showInstances(live.instances, live.settings.quota);
  showTriggers(live.triggers);
  showApps(live.apps);
  showExample(live.apps, live.instances);
  byId("clear").hidden = !filtered;
  if (paused) return;
  seen = live.seen;
  if (live.rows === null) return;
  showRows(live.rows);
  byId("rows").hidden = live.rows.length === 0;
  byId("empty").hidden = live.rows.length > 0 || filtered;
  byId("no-fit").hidden = live.rows.length > 0 || !filtered;
}

async function poll() {
  clearTimeout(timer);
  if (asking) { askAgain = true; return; }
  asking = true;
  let rest = EVERY_MS;
  try {
    const filtered = isFiltered();
    const live = await ask("live", paused ? { limit: 1 } : { ...filters(), seen });
    rest = Math.max(EVERY_MS, live.took_ms * REST);
    show(live, filtered);
  } catch (problem) {
    byId("state").className = "lost";
    byId("state").textContent = problem instanceof Refused ? problem.message
      : refusing ? "The sandbox refuses connections: a fault that is on. Trying again"
        : "The sandbox does not answer. Trying again";
  }
  asking = false;
  if (askAgain) { askAgain = false; poll(); return; }
  if (!document.hidden) timer = setTimeout(poll, rest);
}

/** What to paste into a terminal so that something arrives. */
function showExample({ apps, any_app: anyApp }, { instances, only_known: onlyKnown }) {
  const app = anyApp ? "my-app" : apps[0];
  const instance = (onlyKnown && instances.find((row) => row.installed)?.instance) || "site-1";
  const secret = anyApp ? "my-secret" : "ITS-SECRET";
  const asked = JSON.stringify({ grant_type: "client_credentials", client_id: app, client_secret: secret, instance_id: instance });
  const event = '{"triggerKey": "invoice_overdue", "payload": {"invoiceId": "inv-7", "amount": 120.50}, "idempotency": {"key": "inv-7-overdue"}}';
  const json = "-H 'Content-Type: application/json'";
  const text = [
    `TOKEN=$(curl -s ${location.origin}/oauth2/token ${json} \\`,
    `  -d ${quoted(asked)} \\`,
    `  | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `curl ${location.origin}/automations/v1/events/report -H "Authorization: $TOKEN" ${json} \\`,
    `  -d ${quoted(event)}`,
  ].join("\n");
  if (byId("try").textContent !== text) byId("try").textContent = text;
}

/** Asks at once, for all rows anew. */
function refresh() {
  seen = "";
  poll();
}

function wireFilters() {
  const form = byId("filters");
  let typing = 0;
  form.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(refresh, 200); });
  form.addEventListener("submit", (event) => { event.preventDefault(); refresh(); });
  form.addEventListener("reset", () => setTimeout(() => { form.elements.request_id.value = ""; refresh(); }));
}

function wireTop() {
  byId("address").textContent = location.origin;
  byId("copy-address").addEventListener("click", (event) => copy(location.origin, event.target, byId("address")));
  byId("copy-try").addEventListener("click", (event) => copy(byId("try").textContent, event.target, byId("try")));
  byId("pause").addEventListener("click", (event) => {
    paused = !paused;
    event.target.setAttribute("aria-pressed", String(paused));
    event.target.textContent = paused ? "Go on" : "Pause the list";
    refresh();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
}

wireTop();
wireFilters();
wireRows(choose);
wireFaults(poll);
wireWorld(poll, choose);
poll();
