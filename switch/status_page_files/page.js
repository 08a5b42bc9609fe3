"use strict";
// Asks /status.json again and again, and shows what it says. Texts are set as text, never as markup.

const POLL_MS = 2000, TIMEOUT_MS = 5000;
const place = id => document.getElementById(id);
const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const rate = value => number(value, value < 10 ? 1 : 0);
let answeredAt = null;

function say(id, text) { place(id).textContent = text; }

function cell(content, kind) {
  const made = document.createElement("td");
  made.className = kind || "";
  made.textContent = content;
  return made;
}

function bar(share) {
  const made = cell("", "bar"), inside = document.createElement("span");
  inside.style.width = `${Math.max(1, Math.min(1, share) * 100)}%`;
  made.append(inside);
  return made;
}

function table(id, heads, rows) {
  const made = [];
  if (rows.length && heads.length) {
    const head = document.createElement("tr");
    for (const [text, kind] of heads) {
      const th = document.createElement("th");
      th.textContent = text;
      th.className = kind || "";
      head.append(th);
    }
    made.push(head);
  }
  for (const cells of rows.length ? rows : [[cell("none", "none")]]) {
    const row = document.createElement("tr");
    row.append(...cells);
    made.push(row);
  }
  place(id).replaceChildren(...made);
}

function state(problem) { return problem ? cell(problem, "text bad") : cell("serving", "good"); }

function busiest(id, found) {
  const most = Math.max(...found.map(one => one.per_s), 0);
  table(id, [], found.map(one => [cell(one.name, "text"), bar(one.per_s / most), cell(rate(one.per_s), "number")]));
}

function show(status) {
  const activity = status.activity;
  const time = new Date(status.time_us / 1000).toISOString().slice(0, 19).replace("T", " ");
  document.title = `${status.ready ? "" : "NOT READY: "}tapswitch ${status.campus}`;
  say("campus", status.campus);
  say("time", `${time} UTC${status.simulated_clock ? ", simulated" : ""}`);
  say("verdict", status.ready ? "ready" : "NOT READY");
  place("verdict").className = status.ready ? "good" : "bad";
  const all = activity.codes.reduce((sum, one) => sum + one.per_s, 0);
  const approved = activity.codes.filter(one => one.code === "00").reduce((sum, one) => sum + one.per_s, 0);
  say("rate", rate(activity.answered_per_s));
  say("approved", all ? `${number(100 * approved / all, 1)} %` : "–");
  say("p99", activity.latency_ms.total ? number(activity.latency_ms.total.p99, 1) : "–");
  say("slowest", activity.slowest_stage || "–");
  say("window", number(activity.seconds));
  say("version", status.version);
  say("registry", status.registry);
  const attention = status.checks.filter(check => !check.ok || check.warning);
  place("attention").hidden = !attention.length;
  place("checks").replaceChildren(...attention.map(check => {
    const item = document.createElement("li");
    item.className = check.ok ? "warn" : "bad";
    item.textContent = `${check.name}: ${check.explanation}`;
    return item;
  }));
  table("codes", [], activity.codes.map(one => [
    cell(`${one.code} ${one.meaning}`, "text"), bar(all ? one.per_s / all : 0), cell(rate(one.per_s), "number"),
  ]));
  table("latency", [["stage"], ["p50", "number"], ["p90", "number"], ["p99", "number"], ["p99.9", "number"]],
    Object.entries(activity.latency_ms).map(([stage, found]) => [
      cell(stage), ...[found.p50, found.p90, found.p99, found.p999].map(ms => cell(number(ms, 1), "number")),
    ]));
  table("shards",
    [["shard"], ["state"], ["position", "number"], ["mailbox", "number"], ["snapshot lag", "number"],
     ["imbalance", "number"]],
    status.shards.map(shard => [
      cell(shard.name), state(shard.problem), cell(number(shard.position), "number"), cell(number(shard.mailbox), "number"),
      cell(number(shard.snapshot_lag), "number"),
      cell(number(shard.imbalance / 100, 2), shard.imbalance ? "number bad" : "number"),
    ]));
  table("gateways", [["gateway"], ["state"], ["connections", "number"], ["stations", "number"], ["waiting", "number"]],
    status.gateways.map(gateway => [
      cell(gateway.name), state(gateway.problem), cell(number(gateway.connections), "number"), cell(number(gateway.stations), "number"),
      cell(number(gateway.waiting), "number"),
    ]));
  busiest("merchants", activity.merchants);
  busiest("stations", activity.stations);
  table("problems", [], status.problems.slice().reverse().map(line => [
    cell(line.time.slice(0, 19).replace("T", " ")), cell(line.level, line.level === "warning" ? "warn" : "bad"),
    cell(`${line.event}${line.details ? ` (${line.details})` : ""}`, "text"),
  ]));
}

async function ask() {
  try {
    const answer = await fetch("/status.json", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    show(await answer.json());
    answeredAt = Date.now();
    document.body.classList.remove("stale");
  } catch (error) {
    const since = answeredAt ? ` for ${number((Date.now() - answeredAt) / 1000)} s` : "";
    say("verdict", `no answer${since}; asking again`);
    place("verdict").className = "bad";
    document.title = "NO ANSWER: tapswitch";
    document.body.classList.add("stale");
  }
  setTimeout(ask, POLL_MS);
}

ask();
