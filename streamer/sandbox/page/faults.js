// How are faults switched on and off, and shown while they are on?

import { Refused, tell } from "./calls.js";
import { byId, make, refill } from "./dom.js";

// The words are those of the sandbox's own reference, written as it writes them back: a switch is
// on while a fault of the same words is.
const QUICK = [
  ["Outage: 503 for 30 s", "503 for=30s"],
  ["Nobody listens for 10 s", "refuse for=10s"],
  ["Slow: 50 ms, one in 100 over 400 ms", "latency=p50=50ms,p99=400ms"],
  ["5 % answer 500", "500=5%"],
  ["5 % answer 500, yet are taken in", "500=5% after"],
  ["1 % get no answer", "hang=1%"],
  ["1 % answer 429, Retry-After 2 s", "429=1% retry_after=2"],
  ["2 % of bulk items fail", "item:UNAVAILABLE=2%"],
];

const SHARE = ["share", "Share", "5%"];
const AFTER = ["after", "Taken in before it fails", false];
const SHARE_AND_AFTER = [SHARE, AFTER];
const RESULTS = ["doubled", "contradicting", "missing", "none", "out-of-range", "out-of-order", "cut"];

// Word of a fault, what a person reads, and its own fields: name, label, and what stands there at
// first (a list: one of these).
const KINDS = [
  ["Calls", [
    ["status", "A status is answered", [["status", "Status", "500"], ...SHARE_AND_AFTER, ["retry_after", "Retry-After", ""]]],
    ["latency", "Answers are slow", [["latency", "50ms, 20ms..80ms or p50=50ms,p99=400ms", "50ms"], ["share", "Share", ""]]],
    ["drop", "The connection is reset without an answer", SHARE_AND_AFTER],
    ["hang", "There is no answer while the caller waits", SHARE_AND_AFTER],
    ["cut", "The connection ends in the middle of the answer", [SHARE]],
    ["html", "A web page is answered", SHARE_AND_AFTER],
    ["text:10MB", "Ten megabytes of text are answered", SHARE_AND_AFTER],
    ["307", "A redirect is answered", [SHARE]],
    ["refuse", "Nobody listens", []],
  ]],
  ["Bulk calls", [
    ["item", "Items fail", [["code", "Code", "UNAVAILABLE"], ...SHARE_AND_AFTER]],
    ["undetailed", "Items fail and have no result", SHARE_AND_AFTER],
    ["results", "The results are wrong", [["how", "How", RESULTS], SHARE]],
  ]],
  ["Tokens", [["expires_in", "expires_in is wrong", [["said", "A number, a word, or none", "none"], SHARE]]]],
];
const FIELDS = new Map(KINDS.flatMap(([, kinds]) => kinds.map(([word, , fields]) => [word, fields])));

const COMMON = [
  ["call", "Which calls", ["", "report", "cancel", "single", "bulk", "token", "events", "all"]],
  ["trigger", "Only this trigger", ""],
  ["instance", "Only this instance", ""],
  ["entity", "Only this entity", ""],
  ["in", "Begins in", ""],
  ["for", "Lasts, such as 30s", ""],
];

/** A word as a shell takes it; the words of a fault are split by the same rules. */
export const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

function firstWord(kind, given) {
  const share = given.share ? `=${given.share}` : "";
  if (kind === "status") return `${given.status}${share}`;
  if (kind === "latency") return `latency=${given.latency}`;
  if (kind === "item") return `item:${given.code}${share}`;
  if (kind === "results") return `results:${given.how}${share}`;
  if (kind === "expires_in") return `expires_in:${given.said}${share}`;
  return `${kind}${share}`;
}

/** The fault that the form's fields describe, in words. */
function wordsOf(kind, given) {
  const words = [quoted(firstWord(kind, given))];
  if (given.after) words.push("after");
  if (kind === "latency" && given.share) words.push(`share=${given.share}`);
  for (const name of ["retry_after", "call", "trigger", "instance", "entity", "in", "for"]) {
    if (given[name]) words.push(quoted(`${name}=${given[name]}`));
  }
  return words.join(" ");
}

function field([name, label, first]) {
  const common = { name, "data-part": "" };
  if (first === false) {
    return make("label", { class: "check" }, make("input", { ...common, type: "checkbox" }), ` ${label}`);
  }
  const control = Array.isArray(first)
    ? make("select", common, ...first.map((value) => make("option", { value }, value || "reports and cancels")))
    : make("input", { ...common, value: first, autocomplete: "off", spellcheck: "false" });
  return make("label", { class: Array.isArray(first) ? "wide" : "" }, `${label} `, control);
}

function compose() {
  const given = {};
  for (const part of byId("fault-form").querySelectorAll("[data-part]")) {
    given[part.name] = part.type === "checkbox" ? part.checked : part.value.trim();
  }
  byId("fault-words").value = wordsOf(byId("fault-kind").value, given);
}

function showDetails() {
  const kind = byId("fault-kind").value;
  byId("fault-details").replaceChildren(...FIELDS.get(kind).map(field));
  const some = kind === "refuse" ? COMMON.filter(([name]) => name === "in" || name === "for") : COMMON;
  byId("fault-common").replaceChildren(...some.map(field));
  if (kind === "refuse") byId("fault-common").querySelector('[name="for"]').value = "10s";
  compose();
}

function span(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function when(fault) {
  if (fault.begins_in_s > 0) return `begins in ${span(fault.begins_in_s)}`;
  if (fault.ends_in_s === null) return "until it is ended";
  return fault.ends_in_s > 0 ? `${span(fault.ends_in_s)} left` : "over";
}

const isOver = (fault) => fault.ends_in_s === 0;

/** Wires the switches; `changed` is called after each change. */
export function wireFaults(changed) {
  const error = byId("fault-error");
  const change = async (body) => {
    error.textContent = "";
    try {
      await tell("faults", body);
    } catch (problem) {
      error.textContent = problem instanceof Refused ? problem.message : "The sandbox does not answer.";
      return false;
    } finally {
      changed();
    }
    return true;
  };
  byId("quick").append(...QUICK.map(([label, fault]) => make("button", {
    type: "button", "aria-pressed": "false", "data-fault": fault, title: fault,
    onclick: (event) => change(event.currentTarget.getAttribute("aria-pressed") === "true"
      ? { remove: [fault] } : { add: [fault] }),
  }, label)));
  byId("fault-kind").append(...KINDS.map(([group, kinds]) => make("optgroup", { label: group },
    ...kinds.map(([word, label]) => make("option", { value: word }, label)))));
  byId("fault-kind").addEventListener("change", showDetails);
  byId("fault-form").addEventListener("input", (event) => {
    if ("part" in event.target.dataset) compose();
  });
  byId("fault-form").addEventListener("submit", (event) => {
    event.preventDefault();
    change({ add: [byId("fault-words").value] });
  });
  byId("end-all").addEventListener("click", () => change({ faults: [] }));
  byId("now-list").addEventListener("click", (event) => {
    const fault = event.target.dataset.fault;
    if (fault !== undefined) change({ remove: [fault] });
  });
  showDetails();
}

/** Shows the faults that are set, as the sandbox tells them. */
export function showFaults(faults) {
  const set = faults.filter((fault) => !isOver(fault));
  const shown = set.map(({ fault, says, active, ...window }) => ({ fault, says, active, when: when(window) }));
  refill(byId("now-list"), shown, (it) => make("li", { class: it.active ? "" : "later" },
    make("strong", {}, make("bdi", {}, it.says)), make("span", { class: "muted" }, ` ${it.when} `),
    make("code", {}, make("bdi", {}, it.fault)), " ",
    make("button", { type: "button", "data-fault": it.fault, "data-act": it.fault, "aria-label": `End: ${it.says}` }, "End")));
  byId("now").classList.toggle("quiet", set.length === 0);
  byId("now-none").hidden = set.length > 0;
  byId("end-all").hidden = set.length === 0;
  const words = new Set(set.map((fault) => fault.fault));
  for (const button of byId("quick").children) {
    button.setAttribute("aria-pressed", String(words.has(button.dataset.fault)));
  }
  document.title = set.some((fault) => fault.active) ? "⚠ Sandbox" : "Sandbox";
}
