// The page: what comes from the robot goes into `scene`, from there onto map and panels.
import * as actions from "./actions.js";
import * as hand from "./hand.js";
import { connect, on, readKey } from "./link.js";
import * as map from "./map.js";
import * as tune from "./tune.js";
import * as timeline from "./timeline.js";
import { colours, fit, line, readColours } from "./view.js";

const $ = id => document.getElementById(id);
const scene = { state: { gate: {} }, live: {}, documents: {}, past: false, draft: null, stroke: null, frame: null, cross: null, area: [] };
const strips = [], NOTHING = $("match").src;
const TONES = { controlling: "go", planning: "go", stopping: "go", recovering: "warn", fault: "bad" };
const STATES = { idle: "stands", planning: "thinks", controlling: "drives", recovering: "frees itself", stopping: "arrives", fault: "fault" };
const PHASES = { choosing: "chooses where to go next", driving: "drives", waiting: "waits", returning: "comes back" };
const GATE = { // what the gate says, in people's words; what follows a colon stays
  limit: "keeps to the speed limit", "command is not finite": "a command was no number", "no command": "",
  "clock stands still": "the robot stands: its clock stands still", "obstacle ahead": "slows down: something is ahead",
  "too much to look at": "slows down: too much is around", "unseen ahead": "slows down: it has not seen what is ahead",
  "no scan": "the robot stands: the laser says nothing", "scan without a reading": "the robot stands: the laser sees nothing at all",
  "scan without what stood there": "the robot stands: the laser seems covered", "no data": "the robot stands: a sensor says nothing",
  "moving thing ahead": "slows down: somebody is in the way", "emergency stop": "", "a node is missing": "the robot stands: a part of the stack is missing",
  zone: "something is in the zone", "keep-out": "keeps out of an area",
};
const BEHAVIOUR = /^(make_way|back_up|localise|wait|search|second_look|final_approach|explore|follow_path): /; // of docs/planning.md: a name for programs
const QUIET = 10; // [s]; each robot of a site speaks once a second
const SHOWN_AFTER = 2; // states in a row: it corrects many a command for a moment
let gateSaid = ["", 0];
let about = null, newest = null, toast = 0;

function tell(words, bad = false) {
  if (!words) return;
  $("toast").textContent = words;
  $("toast").className = bad ? "on bad" : "on";
  clearTimeout(toast);
  toast = setTimeout(() => { $("toast").className = ""; }, bad ? 6000 : 3000);
}
function banner(words) { $("banner").hidden = !words; $("banner").textContent = words || ""; }
const number = (value, digits, unit) => value == null ? "–" : `${value.toFixed(digits)} ${unit}`;
const clock = seconds => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const capital = words => words ? words[0].toUpperCase() + words.slice(1) : "";

function showState(state) {
  const mission = state.mission;
  $("stopbar").hidden = Boolean(state.recording);
  const chip = state.recording ? ["a recording", "warn"] : state.stopped ? ["stopped", "bad"] : !state.alive ? ["no stack heard", "bad"] : !state.stack_well ? ["starting", "warn"]
    : state.by_hand ? ["driven by hand", "go"] : [STATES[state.planner] || state.planner || "waiting", TONES[state.planner] || ""];
  $("state").textContent = chip[0]; $("state").dataset.tone = chip[1];
  $("located").innerHTML = "";
  $("located").append(state.robot == null ? "" : state.localised ? `knows where it is, ${Math.round(100 * (state.confidence || 0))} %` : "does not know where it is");
  const words = !state.alive ? "Nothing is heard of the stack. Is it running, with the same ROS_DOMAIN_ID?" : !state.stack_well ? state.stack
    : state.stopped ? "Stopped. Nothing moves it until the stop is released." : state.fault || (state.decision || "no goal").replace(BEHAVIOUR, "");
  if ($("doing").textContent !== capital(words)) $("doing").textContent = capital(words);
  const parts = [state.doing, state.paused && `paused: ${state.paused}`, mission && (mission.words || PHASES[mission.phase]),
    mission && mission.remaining > 0 && `${mission.remaining} goals left`];
  $("mission").textContent = capital(parts.filter(Boolean).join(" · "));
  $("progress").hidden = !(mission && mission.allowance > 0);
  if (mission && mission.allowance > 0) {
    const share = Math.min(100, 100 * mission.elapsed / mission.allowance);
    $("progress").querySelector("i").style.width = `${share}%`;
    $("progress").firstElementChild.setAttribute("aria-valuenow", String(Math.round(share)));
    $("countdown").textContent = `${clock(Math.max(0, mission.allowance - mission.elapsed))} left`;
  }
  const gate = state.gate, [reason, ...more] = (gate.words || "").split(": "), plain = GATE[reason] ?? reason;
  gateSaid = [reason, gateSaid[0] === reason ? gateSaid[1] + 1 : 0];
  $("gate").hidden = !plain || gateSaid[1] < SHOWN_AFTER; $("gate").dataset.level = gate.level;
  $("gate").textContent = `Safety gate: ${[plain, ...more].join(": ")}`;
  facts(state);
  demo(state.demo);
  showQuiet(newest || state);
}
function facts(state) {
  const shown = [["speed", state.command ? number(Math.abs(state.command[0]), 2, "m/s") : "–"], ["explored", number(state.explored, 1, "m²")],
    ["time", state.mission ? clock(state.mission.elapsed) : "–"], ["control rate", number(state.rate, 0, "Hz")],
    ["image age", state.age == null ? "–" : number(1000 * state.age, 0, "ms")], ["people", String((state.people || []).filter(p => p[5]).length)]];
  const list = $("facts");
  if (!list.children.length) list.innerHTML = shown.map(([name]) => `<div><dt>${name}</dt><dd></dd></div>`).join("");
  shown.forEach(([, value], i) => { const cell = list.children[i].lastChild; if (cell.textContent !== value) cell.textContent = value; });
}
function demo(run) {
  $("demo").hidden = !run;
  if (!run) return;
  $("demo_words").textContent = `${run.world}, ${run.robot}, seed ${run.seed} · near ${run.near.reached} of ${run.near.n}, far ${run.far.reached} of ${run.far.n}`
    + ` · contacts ${run.contacts} · ${run.pace ?? "–"} × real time${run.finished ? " · finished" : ""}`;
  $("goals").replaceChildren(...Array.from({ length: run.total }, (_, i) => {
    const trial = run.trials[i], item = document.createElement("span");
    item.className = "goal"; item.dataset.result = trial ? (trial.success ? "yes" : "no") : run.goal === i ? "now" : "";
    item.textContent = trial ? `${i + 1} ${trial.kind} ${trial.time.toFixed(0)} s` : `${i + 1}`;
    item.title = trial ? trial.words : "";
    return item;
  }));
}
// Robots of the site: what each knows, how much of it is on this map, what each has of the others.
function showSite({ robots }) {
  $("site").hidden = !robots.length;
  const line = (tag, text, kind = "") => Object.assign(document.createElement(tag), { textContent: text, className: kind });
  $("robots").replaceChildren(...robots.map(robot => {
    const item = document.createElement("li"), here = robot.here ? ` · ${robot.here} on this map` : "";
    item.dataset.robot = robot.name;
    item.append(line("b", robot.name), line("span", ` ${robot.places} places${here}`));
    if (robots.some(other => other.site !== robot.site)) item.append(line("span", ` · site ${robot.site}`, "soft"));
    item.append(line("small", robot.copies.length ? `has of ${robot.copies.map(copy => copy.join(": ")).join(" · ")}` : "has nothing of others", "soft"));
    item.append(...robot.refused.map(([other, why]) => line("small", `refuses ${other}: ${why}`, "refused")));
    item.append(line("small", "", "quiet"));
    return item;
  }));
}
function showQuiet(state) { // who was not heard for a while
  for (const robot of scene.documents.site?.robots || []) {
    const quiet = state.t - robot.heard, words = quiet > QUIET ? `not heard for ${clock(quiet)} min` : "";
    const cell = document.querySelector(`[data-robot="${CSS.escape(robot.name)}"] .quiet`);
    if (cell && cell.textContent !== words) cell.textContent = words;
  }
}
function strip(id, name, colour, limit) {
  const [g, w, h] = fit($(id)), values = strips.map(s => s[name]), known = values.filter(v => v != null);
  if (!known.length) return;
  const top = Math.max(...known, limit || 0, 1e-6) * 1.08, low = Math.min(0, ...known), y = v => h - 3 - (h - 8) * (v - low) / (top - low);
  if (limit) line(g, [[0, y(limit)], [w, y(limit)]], colours.bad, 1, .7, [4, 4]);
  let run = [];
  values.forEach((v, i) => { if (v == null) { line(g, run, colour, 1.8); run = []; } else run.push([w - (values.length - 1 - i) * w / 299, y(v)]); });
  line(g, run, colour, 1.8);
}
function showStrips(state) {
  strips.push(state); if (strips.length > 300) strips.shift();
  $("energy").textContent = number(state.energy, 2, "m"); $("surprise").textContent = state.surprise == null ? "–" : `${state.surprise.toFixed(1)}${state.alarm ? " ⚠ alarm" : ""}`;
  strip("energies", "energy", colours.accent); strip("surprises", "surprise", colours.warm, state.surprise_threshold);
}
const DOCUMENTS = {
  camera: value => { $("camera").src = value.src; },
  goal_picture: value => { $("goal_picture").src = value.src || NOTHING; },
  match: value => { $("match").src = value.src || NOTHING; $("match_words").textContent = value.label ? `memory: ${value.label}` : "match in memory"; },
  pictures: value => actions.showPictures(value),
  places: value => actions.showPlaces(value),
  site: showSite,
};

on("state", message => {
  banner(""); about = message.about; newest = message.state; scene.live = message.live;
  timeline.keep(newest); showStrips(newest); actions.showControl(about, newest);
  if (!timeline.isPast()) { scene.state = newest; showState(newest); }
  map.redraw();
});
on("document", ({ name, value }) => { scene.documents[name] = value; DOCUMENTS[name]?.(value); map.redraw(); });
on("log", ({ lines }) => {
  $("log").replaceChildren(...lines.toReversed().map(([t, words]) => {
    const item = document.createElement("li"), time = document.createElement("time");
    time.textContent = new Date(1000 * t).toLocaleTimeString(); item.append(time, words);
    return item;
  }));
});
on("problem", words => tell(words, true));
on("open", () => { $("state").textContent = "connected"; timeline.load(); });
on("refused", words => banner(words));
on("lost", refused => { $("state").textContent = "not connected"; $("state").dataset.tone = "bad"; if (!refused) banner("The connection is lost; if you drove by hand, the robot stands. Trying again …"); });

timeline.setUp(past => { scene.past = past !== null; scene.state = past || newest || scene.state; showState(scene.state); map.redraw(); });
$("theme").onclick = () => {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.style.colorScheme = (root.style.colorScheme || (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
  localStorage.setItem("ami_theme", root.style.colorScheme); readColours(); map.redraw();
};
document.documentElement.style.colorScheme = localStorage.getItem("ami_theme") || "";
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); map.redraw(); });
readColours();
map.setUp(scene, tell); actions.setUp(tell, scene); hand.setUp(); tune.setUp(tell);
if (readKey()) connect(); else banner("This page needs its key: open the address that ./ami printed when it started.");
