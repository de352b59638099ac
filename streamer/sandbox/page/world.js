// How are instances, settings, apps and counts shown and changed?

import { Refused, tell } from "./calls.js";
import { byId, make, refill } from "./dom.js";

/** Posts and tells in `place` what was wrong; true where nothing was. */
async function post(call, body, place, changed) {
  byId(place).textContent = "";
  try {
    await tell(call, body);
    return true;
  } catch (problem) {
    byId(place).textContent = problem instanceof Refused ? problem.message : "The sandbox does not answer.";
    return false;
  } finally {
    changed();
  }
}

// --- instances and triggers ---------------------------------------------------------------------

const limitOf = (quota) => (quota === "none" ? null : Number.parseInt(quota, 10));

function instance(row) {
  const limit = row.limit;
  const used = limit === null ? `${row.in_minute} calls in the last minute` : `${row.in_minute} of ${limit} in the last minute`;
  return make("li", { class: row.installed ? "" : "gone" },
    make("span", { class: "line" }, make("strong", {}, make("bdi", {}, row.instance)),
      row.app === null ? null : make("span", { class: "muted" }, " ", make("bdi", {}, row.app)),
      row.installed ? null : make("span", { class: "badge refused" }, "uninstalled")),
    limit === null ? null : make("meter", {
      min: 0, max: limit, high: limit * 0.9, value: Math.min(row.in_minute, limit), "aria-label": used,
    }),
    make("span", { class: "line second" },
      `${used}; ${row.calls} in all, ${row.most_in_a_minute} at most in a minute`,
      row.over_quota ? make("span", { class: "badge refused" }, `${row.over_quota} over quota`) : null),
    make("button", {
      type: "button", "data-instance": row.instance, "data-do": row.installed ? "uninstall" : "install", "data-act": row.instance,
      "aria-label": `${row.installed ? "Uninstall" : "Install"} ${row.instance}`,
    }, row.installed ? "Uninstall" : "Install"));
}

export function showInstances({ instances, total }, quota) {
  byId("instances-none").hidden = instances.length > 0;
  const rows = instances.map((row) => ({ ...row, limit: limitOf(quota) }));
  refill(byId("instance-list"), rows, instance);
  const left = total - instances.length;
  byId("instances-title").textContent = left > 0
    ? `Instances and their quota: the busiest ${instances.length} of ${total}` : "Instances and their quota";
  suggest("known-instances", instances.map((row) => row.instance));
}

export function showTriggers(triggers) {
  byId("triggers-none").hidden = triggers.length > 0;
  refill(byId("trigger-list"), triggers, (it) => make("li", {},
    make("button", { type: "button", class: "quiet", "data-trigger": it.trigger, "data-act": it.trigger }, make("bdi", {}, it.trigger)),
    make("span", { class: "line second" }, [
      `${it.reports} accepted`, it.ignored && `${it.ignored} ignored`, it.refused && `${it.refused} refused`,
      it.cancels && `${it.cancels} cancels`, it.cancelled && `${it.cancelled} cancelled`,
    ].filter(Boolean).join(", "))));
  suggest("known-triggers", triggers.map((it) => it.trigger));
}

function suggest(list, values) {
  refill(byId(list), [...new Set(values)], (value) => make("option", { value }));
}

// --- counts ---------------------------------------------------------------------------------------

const COUNTS = [
  ["reports", "accepted", ""], ["ignored_repeats", "ignored repeats", ""],
  ["ignored_differing", "lost: another event had their key", "bad"], ["refused", "refused", "bad"],
  ["cancels", "cancels", ""], ["cancelled_activations", "activations cancelled", ""],
];

export function showCounts(totals, calls) {
  const counts = COUNTS.filter(([name]) => name !== "ignored_differing" || totals[name] > 0)
    .map(([name, label, kind]) => [label, totals[name], totals[name] ? kind : ""]);
  const endings = {};
  for (const [call, ended] of Object.entries(calls)) {
    if (call === "redirected") continue;
    for (const [ending, count] of Object.entries(ended)) endings[ending] = (endings[ending] ?? 0) + count;
  }
  for (const ending of Object.keys(endings).sort()) {
    counts.push([/^\d+$/.test(ending) ? `calls answered ${ending}` : `calls ${ending}`, endings[ending], ending === "200" ? "" : "bad"]);
  }
  refill(byId("counts"), counts, ([label, count, kind]) => make("div", { class: kind },
    make("dt", {}, label), make("dd", {}, count.toLocaleString("en"))));
}

// --- settings and apps ------------------------------------------------------------------------------

export function showSettings(settings) {
  for (const control of byId("settings-form").elements) {
    if (control === document.activeElement || control.classList.contains("wrong")) continue;
    if (control.type === "checkbox") control.checked = settings[control.name];
    else control.value = settings[control.name];
  }
}

export function showApps({ apps, any_app: anyApp }) {
  const known = apps.length ? `Known: ${apps.join(", ")}. ` : "";
  byId("apps-known").textContent = known + (anyApp ? "An app that is not known gets tokens for any secret." : "Others get no token.");
}

// --- wiring -------------------------------------------------------------------------------------

function wireInstances(changed) {
  byId("instance-list").addEventListener("click", (event) => {
    const { instance: name, do: word } = event.target.dataset;
    if (word) post("instances", { [word]: [name] }, "instance-error", changed);
  });
  byId("instance-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const word = event.submitter?.value ?? "uninstall";
    if (await post("instances", { [word]: [form.elements.instance.value] }, "instance-error", changed)) form.reset();
  });
}

function wireSettings(changed) {
  byId("settings-form").addEventListener("submit", (event) => event.preventDefault());
  byId("settings-form").addEventListener("change", async (event) => {
    const control = event.target;
    const value = control.type === "checkbox" ? control.checked : control.value.trim();
    const right = await post("settings", { [control.name]: value }, "settings-error", changed);
    // What is wrong stays to be mended; the next answer would write over it.
    control.classList.toggle("wrong", !right);
  });
}

function wireApps(changed) {
  byId("app-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const { app, secret, end_tokens: end } = form.elements;
    const body = { app: app.value, secret: secret.value, end_tokens: end.checked };
    byId("app-done").textContent = "";
    if (await post("apps", body, "app-error", changed)) {
      byId("app-done").textContent = `${body.app} gets tokens for its new secret only.`;
      form.reset();
    }
  });
}

function wireReset(changed) {
  byId("reset-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const { tokens, faults } = event.target.elements;
    if (!confirm("Forget all reports, cancels, keys and counts?")) return;
    post("reset", { tokens: tokens.checked, faults: faults.checked }, "reset-error", changed);
  });
}

/** `changed` is called after each change, `choose(name, value)` sets a filter. */
export function wireWorld(changed, choose) {
  wireInstances(changed);
  wireSettings(changed);
  wireApps(changed);
  wireReset(changed);
  byId("trigger-list").addEventListener("click", (event) => {
    const button = event.target.closest("[data-trigger]");
    if (button) choose("trigger", button.dataset.trigger);
  });
}
