// The map: what is drawn, and what a click, a drag, a wheel or a key does on it.
import { ask } from "./link.js";
import { LAYERS, mark } from "./layers.js";
import { View, fit } from "./view.js";

const TURN = 14; // [px] that a drag has to be to mean a heading
const HOVER = 14; // [px] around a place
const HINTS = { look: "", goal: "Click where to go; drag to say which way to look.", keep: "Paint where the robot must not go.",
  area: "Drag a rectangle, or click corner after corner. Then press Explore." };
const $ = id => document.getElementById(id);
const canvas = $("canvas"), view = new View();
const shown = Object.fromEntries(LAYERS.map(layer => [layer.name, true]));
const pointers = new Map();
let tool = "look", scene = null, tell = () => {}, down = null, pinch = 0, hovered = 0, dirty = true;
const thumbnails = new Map();

export function setUp(current, notify) {
  scene = current; tell = notify;
  for (const button of document.querySelectorAll("[data-tool]")) button.onclick = () => choose(button.dataset.tool);
  $("fit").onclick = () => { view.own = false; redraw(); };
  $("unarea").onclick = () => setArea([]);
  $("unkeep").onclick = () => act("clear_keep_out", { last: true });
  $("clear").onclick = () => act("clear_keep_out");
  $("layer_list").innerHTML = LAYERS.map(layer =>
    `<label><input type="checkbox" checked data-layer="${layer.name}"> ${mark(layer)} ${layer.title}</label>`).join("");
  for (const box of document.querySelectorAll("[data-layer]")) box.onchange = () => { shown[box.dataset.layer] = box.checked; redraw(); };
  $("legend").innerHTML = LAYERS.filter(l => !["truth", "zones", "keep_out", "area"].includes(l.name)).map(l => `<span>${mark(l)}${l.title}</span>`).join("");
  canvas.onpointerdown = press; canvas.onpointermove = move; canvas.onpointerup = canvas.onpointercancel = release;
  canvas.onpointerleave = () => hover(null);
  canvas.onwheel = event => { event.preventDefault(); view.zoom(Math.exp(-event.deltaY / 500), spot(event)); redraw(); };
  canvas.onkeydown = keys;
  canvas.onblur = () => { scene.cross = null; redraw(); };
  document.addEventListener("pointerdown", event => { if (!$("layers").contains(event.target)) $("layers").open = false; });
  new ResizeObserver(redraw).observe(canvas);
  requestAnimationFrame(frame);
}
export function redraw() { dirty = true; }

function frame() {
  if (dirty && !document.hidden) { dirty = false; draw(); }
  requestAnimationFrame(frame);
}
let truthKnown = false; // of a drive it is off at first: the page shows what the robot knows
function draw() {
  if (!truthKnown && scene.documents.truth) {
    truthKnown = true; shown.truth = !scene.documents.truth.off;
    document.querySelector("[data-layer=truth]").checked = shown.truth;
  }
  const [g, w, h] = fit(canvas);
  view.w = w; view.h = h;
  if (!view.own) view.show(bounds());
  $("empty").hidden = Boolean(scene.documents.map || scene.documents.places?.places.length || (scene.live.scan || []).length);
  for (const layer of LAYERS) if (shown[layer.name]) layer.draw(g, view, scene);
  scale(g, w, h);
}
// A bar of some metres.
function scale(g, w, h) {
  const metres = [.2, .5, 1, 2, 5, 10, 20, 50].find(m => m * view.scale > 50) || 100, length = metres * view.scale;
  g.strokeStyle = g.fillStyle = getComputedStyle(canvas).color; g.lineWidth = 2; g.font = "12px system-ui, sans-serif"; g.textAlign = "right";
  g.beginPath(); g.moveTo(w - 14 - length, h - 20); g.lineTo(w - 14 - length, h - 14); g.lineTo(w - 14, h - 14); g.lineTo(w - 14, h - 20); g.stroke();
  g.fillText(`${metres} m`, w - 14, h - 25);
}
function bounds() {
  const points = [], map = scene.documents.map, truth = shown.truth && scene.documents.truth;
  if (truth) { // a turned rectangle
    const [x, y, yaw] = truth.frame, [x0, x1, y0, y1] = truth.extent, c = Math.cos(yaw), s = Math.sin(yaw);
    for (const u of [x0, x1]) for (const v of [y0, y1]) points.push([x + c * u - s * v, y + s * u + c * v]);
  }
  if (map) points.push(map.origin, [map.origin[0] + map.size[0] * map.resolution, map.origin[1] + map.size[1] * map.resolution]);
  for (const place of scene.documents.places?.places || []) points.push([place[1], place[2]]);
  for (const p of [scene.state.robot, scene.state.goal]) if (p) points.push(p);
  if (!map) points.push(...(scene.live.scan || []));
  if (!points.length) return [-3, 3, -3, 3];
  const xs = points.map(p => p[0]), ys = points.map(p => p[1]);
  return [Math.min(...xs) - .4, Math.max(...xs) + .4, Math.min(...ys) - .4, Math.max(...ys) + .4];
}

export function choose(name) {
  tool = name; canvas.dataset.tool = name; scene.draft = null; scene.stroke = null;
  for (const button of document.querySelectorAll("[data-tool]")) button.setAttribute("aria-checked", String(button.dataset.tool === name));
  $("hint").textContent = HINTS[name];
  for (const id of ["brush", "unkeep", "clear"]) $(id).hidden = name !== "keep";
  $("unarea").hidden = name !== "area";
  redraw();
}
export function setArea(corners) {
  scene.area = corners;
  $("area_words").textContent = corners.length > 2 ? `keeps to the area with ${corners.length} corners` : corners.length ? `${corners.length} of at least 3 corners` : "";
  redraw();
}
async function act(name, fields) {
  try { tell(await ask(name, fields)); } catch (error) { tell(error.message, true); }
}

const spot = event => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
const brush = () => Number($("radius").value);

function press(event) {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, spot(event));
  down = { at: spot(event), pose: view.m(spot(event)), moved: false };
  if (pointers.size === 2) { pinch = spread(); scene.draft = scene.stroke = scene.frame = null; return; }
  if (tool === "area") scene.frame = down.pose;
  if (tool === "goal") scene.draft = [...down.pose, null];
  if (tool === "keep") scene.stroke = [[...down.pose, brush()]];
  redraw();
}
function spread() { const [a, b] = [...pointers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); }
function move(event) {
  const at = spot(event), before = pointers.get(event.pointerId);
  if (!before) { hover(at); return; }
  pointers.set(event.pointerId, at);
  if (pointers.size === 2) {
    const now = spread(), [a, b] = [...pointers.values()];
    if (pinch) view.zoom(now / pinch, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
    pinch = now; down.moved = true;
  } else if (tool === "goal" && scene.draft) {
    const [dx, dy] = [at[0] - down.at[0], at[1] - down.at[1]];
    scene.draft[2] = Math.hypot(dx, dy) > TURN ? Math.atan2(-dy, dx) : null;
  } else if (tool === "keep" && scene.stroke) {
    const [x, y] = view.m(at), last = scene.stroke.at(-1);
    if (Math.hypot(x - last[0], y - last[1]) > brush() / 2 && scene.stroke.length < 200) scene.stroke.push([x, y, brush()]);
  } else if (tool === "area" && scene.frame) {
    if (Math.hypot(at[0] - down.at[0], at[1] - down.at[1]) > TURN) {
      const [x0, y0] = scene.frame, [x1, y1] = view.m(at);
      setArea(Object.assign([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], { dragged: true })); down.moved = true;
    }
  } else view.pan(at[0] - before[0], at[1] - before[1]);
  redraw();
}
function release(event) {
  pointers.delete(event.pointerId);
  if (pointers.size) return;
  const { draft, stroke, frame } = scene;
  scene.draft = scene.stroke = scene.frame = null;
  if (event.type === "pointerup" && draft) goal(draft);
  else if (event.type === "pointerup" && stroke) act("keep_out", { points: stroke.map(([x, y]) => [x, y]), radius: brush() });
  else if (event.type === "pointerup" && frame && !down.moved) corner(frame);
  redraw();
}
function corner(at) { setArea([...(scene.area.dragged || scene.area.length >= 20 ? [] : scene.area), at]); }
function goal([x, y, yaw]) { act("goto", yaw == null ? { x, y } : { x, y, yaw }); choose("look"); }

function keys(event) {
  const step = (event.shiftKey ? 60 : 15) / view.scale, moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  if (moves[event.key]) {
    const [x, y] = scene.cross || (scene.state.robot || [view.x, view.y]);
    scene.cross = [x + moves[event.key][0] * step, y + moves[event.key][1] * step];
    hover(view.px(scene.cross));
  } else if (event.key === "Enter" && scene.cross) {
    if (tool === "goal") goal([...scene.cross, null]);
    if (tool === "area") corner(scene.cross);
    if (tool === "keep") act("keep_out", { points: [scene.cross], radius: brush() });
  } else if (event.key === "+" || event.key === "=") view.zoom(1.25, [view.w / 2, view.h / 2]);
  else if (event.key === "-") view.zoom(.8, [view.w / 2, view.h / 2]);
  else return;
  event.preventDefault(); redraw();
}

// Memory's picture of the place under the pointer.
async function hover(at) {
  let found = null;
  if (at && scene.documents.places) {
    let nearest = HOVER;
    for (const place of scene.documents.places.places) {
      const [x, y] = view.px([place[1], place[2]]), far = Math.hypot(x - at[0], y - at[1]);
      if (far < nearest) { nearest = far; found = place; }
    }
  }
  if ((found ? found[0] : 0) === hovered) return;
  hovered = found ? found[0] : 0;
  const figure = $("thumbnail");
  if (!found) { figure.hidden = true; return; }
  const [id, x, y] = found;
  if (!thumbnails.has(id)) {
    try { thumbnails.set(id, await ask("thumbnail", { x, y, place: id })); } catch { return; }
    if (thumbnails.size > 200) thumbnails.delete(thumbnails.keys().next().value);
  }
  if (hovered !== id) return;
  const { src, label } = thumbnails.get(id), [u, v] = view.px([x, y]);
  const picture = figure.querySelector("img");
  picture.hidden = !src; picture.src = src || "data:,";
  figure.querySelector("figcaption").textContent = label || `place ${id}, at ${x.toFixed(1)}, ${y.toFixed(1)} m`;
  figure.style.left = `${Math.min(u + 14, view.w - 140)}px`; figure.style.top = `${Math.min(v + 14, view.h - 150)}px`;
  figure.hidden = false;
}
