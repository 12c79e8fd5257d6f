// Driving by hand: keys or a finger on the pad. What is said holds for 0.3 s, so a page that is lost stops the robot.
import { say } from "./link.js";

const EVERY = 100; // [ms]
const KEYS = { w: [1, 0], arrowup: [1, 0], s: [-1, 0], arrowdown: [-1, 0], a: [0, 1], arrowleft: [0, 1], d: [0, -1], arrowright: [0, -1] };
const pad = document.getElementById("pad"), knob = document.getElementById("knob");
const held = new Set();
let finger = null, timer = null;

export function setUp() {
  pad.onkeydown = event => {
    if (!KEYS[event.key.toLowerCase()] || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault(); held.add(event.key.toLowerCase()); begin();
  };
  pad.onkeyup = event => { held.delete(event.key.toLowerCase()); };
  pad.onblur = letGo;
  pad.onpointerdown = event => { pad.focus(); pad.setPointerCapture(event.pointerId); point(event); begin(); };
  pad.onpointermove = event => { if (finger) point(event); };
  pad.onpointerup = pad.onpointercancel = () => { finger = null; };
  addEventListener("blur", letGo);
  document.addEventListener("visibilitychange", () => { if (document.hidden) letGo(); });
}
function point(event) {
  const box = pad.getBoundingClientRect(), r = box.width / 2;
  const x = (event.clientX - box.left - r) / r, y = (event.clientY - box.top - r) / r, far = Math.max(1, Math.hypot(x, y));
  finger = [-y / far, -x / far];
}
function wanted() {
  if (finger) return finger;
  const sum = [0, 0];
  for (const key of held) { sum[0] += KEYS[key][0]; sum[1] += KEYS[key][1]; }
  return sum.map(v => Math.max(-1, Math.min(1, v)));
}
function begin() { if (!timer) { timer = setInterval(steer, EVERY); steer(); } }
function steer() {
  const [linear, angular] = wanted();
  say("steer", { linear: round(linear), angular: round(angular) });
  pad.classList.toggle("on", true);
  knob.style.transform = `translate(${-angular * 55}px, ${-linear * 55}px)`;
  if (!finger && !held.size) letGo();
}
function letGo() {
  if (!timer) return;
  clearInterval(timer); timer = null; finger = null; held.clear();
  say("steer", { linear: 0, angular: 0 });
  pad.classList.remove("on"); knob.style.transform = "";
}
const round = v => Math.round(v * 100) / 100;
