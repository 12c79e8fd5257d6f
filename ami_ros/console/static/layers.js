// What is drawn on the map, layer by layer, from below. Each has a shape of its own, so no meaning hangs on a colour alone.
import { colours, disc, head, line, rgb, ring, words } from "./view.js";

const LEAP = 1.0; // [m] by which the robot corrected where it believes to be
const COMFORT = 1.0; // [s] ahead that a walker's arrow shows

export const LAYERS = [
  { name: "truth", title: "Truth (simulated)", draw: drawTruth, mark: "dashes", colour: "soft" },
  { name: "map", title: "Map", draw: drawGrid, mark: "square", colour: "wall" },
  { name: "keep_out", title: "Keep-out areas", draw: drawKeepOut, mark: "hatch", colour: "bad" },
  { name: "area", title: "Area to explore", draw: drawArea, mark: "dashes", colour: "accent" },
  { name: "places", title: "Places and ways", draw: drawPlaces, mark: "dot", colour: "graph" },
  { name: "scan", title: "Laser", draw: drawScan, mark: "dots", colour: "bad" },
  { name: "zones", title: "Gate's zones", draw: drawOutlines, mark: "dashes", colour: "warm" },
  { name: "track", title: "Way driven", draw: drawTrack, mark: "line", colour: "accent" },
  { name: "futures", title: "Imagined futures", draw: drawFutures, mark: "fan", colour: "warm" },
  { name: "plan", title: "Plan", draw: drawPlan, mark: "beads", colour: "warm" },
  { name: "people", title: "People", draw: drawPeople, mark: "ring", colour: "person" },
  { name: "goal", title: "Goal", draw: drawGoal, mark: "target", colour: "bad" },
  { name: "robot", title: "Robot", draw: drawRobot, mark: "robot", colour: "accent" },
];
const MARKS = {
  dashes: "<path d='M0 6h16' stroke-dasharray='4 3'/>", square: "<path d='M3 2h10v8H3z' fill='currentColor'/>",
  hatch: "<path d='M1 11L9 1M7 11L15 1'/>", dot: "<circle cx='8' cy='6' r='3' fill='currentColor'/>",
  dots: "<path d='M1 6h15' stroke-dasharray='1 3'/>", line: "<path d='M0 6h16'/>", beads: "<path d='M0 6h16' stroke-dasharray='1 4' stroke-linecap='round' stroke-width='4'/>",
  fan: "<path d='M1 6L15 1M1 6h14M1 6L15 11' stroke-width='1'/>", ring: "<circle cx='8' cy='6' r='4'/>", target: "<circle cx='8' cy='6' r='4'/><path d='M8 0v12M2 6h12'/>", robot: "<circle cx='6' cy='6' r='4' fill='currentColor'/><path d='M9 6h6'/>",
};
export const mark = layer => `<svg viewBox="0 0 16 12" fill="none" stroke="currentColor" stroke-width="2" class="mark-${layer.colour}">${MARKS[layer.mark]}</svg>`;

let grid = null, gridOf = null, gridTheme = "", floor = null, floorOf = "";

// The map in the theme's colours: free, occupied, and shades between; unknown stays clear.
function gridCanvas(map) {
  const theme = colours.floor + colours.wall;
  if (gridOf !== map || gridTheme !== theme) {
    if (gridOf !== map) {
      const image = new Image();
      image.onload = () => { map.image = image; grid = paint(image); };
      image.src = map.src;
    } else if (map.image) grid = paint(map.image);
    gridOf = map; gridTheme = theme;
  }
  return grid;
}
function paint(image) {
  const canvas = document.createElement("canvas"), [f, w] = [rgb("floor"), rgb("wall")];
  canvas.width = image.width; canvas.height = image.height;
  const g = canvas.getContext("2d", { willReadFrequently: true });
  g.drawImage(image, 0, 0);
  const data = g.getImageData(0, 0, canvas.width, canvas.height), p = data.data;
  for (let i = 0; i < p.length; i += 4) {
    const share = (255 - p[i]) / 200;
    for (let k = 0; k < 3; k++) p[i + k] = f[k] + (w[k] - f[k]) * share;
  }
  g.putImageData(data, 0, 0);
  return canvas;
}

function drawGrid(g, v, s) {
  const map = s.documents.map, drawn = map && gridCanvas(map);
  if (!drawn) return;
  const r = map.resolution, [x, y] = v.px([map.origin[0], map.origin[1] + map.size[1] * r]);
  g.imageSmoothingEnabled = false;
  g.drawImage(drawn, x, y, map.size[0] * r * v.scale, map.size[1] * r * v.scale);
}
function drawTruth(g, v, s) {
  const t = s.documents.truth;
  if (t && t.src) {
    if (floorOf !== t.src) { floorOf = t.src; floor = new Image(); floor.src = t.src; }
    if (floor.complete && floor.naturalWidth) {
      const [x, y] = v.px(t.frame), [x0, x1, y0, y1] = t.extent;
      g.save(); g.translate(x, y); g.rotate(-t.frame[2]); g.globalAlpha = .45;
      g.drawImage(floor, x0 * v.scale, -y1 * v.scale, (x1 - x0) * v.scale, (y1 - y0) * v.scale);
      g.restore();
    }
  }
  if (s.state.truth) { ring(g, v.px(s.state.truth), Math.max(7, .2 * v.scale), colours.soft, 2, [4, 3]); head(g, v.px(s.state.truth), s.state.truth[2], Math.max(7, .2 * v.scale), colours.soft); }
}
function drawKeepOut(g, v, s) {
  const circles = [...(s.documents.keep_out?.circles || []), ...(s.stroke || [])];
  if (!circles.length) return;
  g.save(); g.beginPath();
  for (const [x, y, r] of circles) { const [u, w] = v.px([x, y]); g.moveTo(u + r * v.scale, w); g.arc(u, w, r * v.scale, 0, 7); }
  g.globalAlpha = .16; g.fillStyle = colours.bad; g.fill(); g.clip(); g.globalAlpha = .55;
  g.strokeStyle = colours.bad; g.lineWidth = 1.2; g.beginPath();
  for (let x = -v.h; x < v.w; x += 9) { g.moveTo(x, v.h); g.lineTo(x + v.h, 0); }
  g.stroke(); g.restore();
}
function drawArea(g, v, s) { // drawn here, or what is being explored; corners that are not closed yet
  const corners = s.area.length ? s.area : s.documents.area?.corners || [];
  if (!corners.length) return;
  const at = corners.map(c => v.px(c));
  if (at.length > 2) { g.globalAlpha = .08; g.fillStyle = colours.accent; g.beginPath(); at.forEach((p, i) => i ? g.lineTo(...p) : g.moveTo(...p)); g.fill(); g.globalAlpha = 1; }
  line(g, at.length > 2 ? [...at, at[0]] : at, colours.accent, 2, 1, [8, 5]);
  if (s.area.length) for (const p of at) ring(g, p, 4, colours.accent);
}
function drawPlaces(g, v, s) {
  const known = s.documents.places;
  if (!known) return;
  const at = known.places.map(p => v.px([p[1], p[2]]));
  for (const [blocked, sure] of [[0, 0], [0, 1], [1, 0], [1, 1]]) { // a way that was driven twice is surer
    g.beginPath(); g.strokeStyle = blocked ? colours.bad : colours.graph; g.lineWidth = sure ? 2 : 1; g.globalAlpha = blocked ? .8 : sure ? .6 : .35; g.setLineDash(blocked ? [4, 4] : []);
    for (const [a, b, f, driven] of known.ways) if (f === blocked && Number(driven > 1) === sure && at[a] && at[b]) { g.moveTo(...at[a]); g.lineTo(...at[b]); }
    g.stroke();
  }
  g.setLineDash([]); g.globalAlpha = .75; g.fillStyle = colours.graph; g.beginPath();
  for (const [x, y] of at) { g.moveTo(x + 2, y); g.arc(x, y, 2, 0, 7); }
  g.fill(); g.globalAlpha = 1;
  known.places.forEach((p, i) => {
    const label = known.labels[p[0]];
    if (!label) return;
    const [x, y] = at[i];
    g.fillStyle = colours.graph; g.fillRect(x - 5, y - 5, 10, 10); g.strokeStyle = colours.card; g.lineWidth = 1.5; g.strokeRect(x - 5, y - 5, 10, 10);
    words(g, label, [x, y - 10], colours.ink, colours.card);
  });
}
function drawScan(g, v, s) {
  if (s.past) return;
  g.fillStyle = colours.bad; g.globalAlpha = .8;
  for (const p of s.live.scan || []) { const [x, y] = v.px(p); g.fillRect(x - 1.6, y - 1.6, 3.2, 3.2); }
  g.globalAlpha = 1;
}
function drawOutlines(g, v, s) {
  if (s.past) return;
  for (const [name, points] of Object.entries(s.live.outlines || {})) {
    if (!name || !points.length) continue;
    line(g, [...points, points[0]].map(p => v.px(p)), colours.warm, s.state.gate.zone === name ? 3 : 1.2, .9, [6, 4]);
  }
}
function drawTrack(g, v, s) {
  let run = [], last = null;
  for (const p of s.live.track || []) {
    if (last && Math.hypot(p[0] - last[0], p[1] - last[1]) > LEAP) { line(g, run, colours.accent, 2.4, .55); run = []; }
    run.push(v.px(p)); last = p;
  }
  line(g, run, colours.accent, 2.4, .55);
}
function drawFutures(g, v, s) { // other commands that were weighed; pieces of lines, two ends each
  const ends = s.past ? [] : s.live.futures || [];
  g.globalAlpha = .45; g.strokeStyle = colours.warm; g.lineWidth = 1; g.beginPath();
  for (let i = 0; i + 1 < ends.length; i += 2) { g.moveTo(...v.px(ends[i])); g.lineTo(...v.px(ends[i + 1])); }
  g.stroke(); g.globalAlpha = 1;
}
function drawPlan(g, v, s) {
  const plan = s.state.plan || [];
  plan.forEach((p, i) => disc(g, v.px(p), 3.2, colours.warm, 1 - .75 * i / plan.length)); // fainter: farther in the future
}
function drawPeople(g, v, s) {
  for (const [x, y, vx, vy, r, person] of s.state.people || []) {
    const a = v.px([x, y]), size = Math.max(6, r * v.scale);
    disc(g, a, size, colours.person, .25); ring(g, a, size, colours.person, 2, person ? [] : [3, 3]);
    if (Math.hypot(vx, vy) > .1) { const b = v.px([x + vx * COMFORT, y + vy * COMFORT]); line(g, [a, b], colours.person, 2); head(g, b, Math.atan2(vy, vx), 4, colours.person); }
    words(g, person ? "person" : "moves", [a[0], a[1] - size - 5], colours.person, colours.card);
  }
}
function target(g, at, yaw, r, colour) {
  ring(g, at, r, colour, 2.5); ring(g, at, r * .35, colour, 2.5);
  const [x, y] = at;
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) line(g, [[x + dx * r * .65, y + dy * r * .65], [x + dx * r * 1.35, y + dy * r * 1.35]], colour, 2);
  if (yaw != null) head(g, at, yaw, r * 1.25, colour);
}
function drawGoal(g, v, s) {
  if (s.state.goal) { target(g, v.px(s.state.goal), s.state.goal[2], Math.max(9, .2 * v.scale), colours.bad); words(g, "goal", [v.px(s.state.goal)[0], v.px(s.state.goal)[1] - Math.max(9, .2 * v.scale) - 12], colours.bad, colours.card); }
  if (s.draft) target(g, v.px(s.draft), s.draft[2], Math.max(9, .2 * v.scale), colours.ink);
  if (s.cross) { const [x, y] = v.px(s.cross); line(g, [[x - 12, y], [x + 12, y]], colours.ink, 2); line(g, [[x, y - 12], [x, y + 12]], colours.ink, 2); }
}
function drawRobot(g, v, s) {
  const pose = s.state.robot;
  if (!pose) return;
  const at = v.px(pose), outline = s.past ? null : s.live.outlines?.[""];
  const sure = s.state.confidence ?? 1;
  if (!s.state.localised) ring(g, at, Math.max(20, .6 * v.scale), colours.warm, 2, [5, 5]); // it does not know where it is
  g.globalAlpha = .55 + .45 * sure;
  if (outline && outline.length > 2 && v.scale > 25) {
    g.beginPath(); outline.forEach((p, i) => i ? g.lineTo(...v.px(p)) : g.moveTo(...v.px(p))); g.closePath(); g.fillStyle = colours.accent; g.fill();
    g.strokeStyle = colours.card; g.lineWidth = 1.5; g.stroke();
  } else disc(g, at, Math.max(7, .18 * v.scale), colours.accent);
  g.globalAlpha = 1;
  head(g, at, pose[2], Math.max(7, .2 * v.scale), colours.accent);
}
